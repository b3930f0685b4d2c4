//! What the source and the readers of one answer share.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::race::Race;
use super::reader::Reader;
use super::{End, Head};
use crate::ceiling::Room;
use crate::joining::{Joining, Terms};
use crate::sync::{Mutex, MutexGuard};

/// What a chunk costs beside its bytes, so that many small ones count for what they take.
const OVERHEAD: usize = 64;

/// The number of the first reader.
const FIRST: u64 = 0;

/// One answer on its way.
#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) head: Option<Head>,
    pub(super) chunks: VecDeque<Bytes>,
    pub(super) end: Option<End>,
    /// Whether it takes newcomers, and so holds everything.
    pub(super) open: bool,
    pub(super) readers: BTreeMap<u64, Place>,
    /// How many chunks were forgotten.
    forgotten: u64,
    /// What the chunks take in bytes, of their own bound and of everybody's.
    held: usize,
    room: Room,
    bound: usize,
    next_reader: u64,
    /// The rules by which others join; `None`: they always do.
    terms: Option<Terms>,
    /// Whether the first reader left before the head came.
    is_left: bool,
    /// The calls to the same question that race for the first head, if there are others.
    pub(super) race: Option<Arc<Race>>,
    /// Whoever feeds the source may wait for readers to move or to leave, for two reasons at once.
    source: Vec<Waker>,
}

/// Where a reader stands.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The number of the chunk that it reads next.
    at: u64,
    waker: Option<Waker>,
    /// A place in a call that raced this one and has the first head.
    won: Option<Reader>,
}

/// What a reader finds.
#[derive(Debug)]
pub(super) enum Next {
    Chunk(Bytes),
    Nothing,
    Lost,
    End(End),
}

impl Shared {
    pub(super) fn new(bound: usize, room: Room, terms: Option<Terms>) -> Self {
        Self(Mutex::new(State {
            head: None,
            chunks: VecDeque::new(),
            end: None,
            open: true,
            readers: BTreeMap::new(),
            forgotten: 0,
            held: 0,
            room,
            bound,
            next_reader: 0,
            terms,
            is_left: false,
            race: None,
            source: Vec::new(),
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes of the state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes the readers that wait.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let wakers: Vec<Waker> =
            state.readers.values_mut().filter_map(|place| place.waker.take()).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// A reader from the first byte on.
    pub(super) fn read(self: &Arc<Self>) -> Reader {
        let number = self.lock().seat();
        Reader::new(Arc::clone(self), number)
    }

    /// The same, if it takes newcomers, and this one among them.
    pub(super) fn read_if_open(self: &Arc<Self>, joining: Option<&Joining>) -> Option<Reader> {
        let mut state = self.lock();
        if !state.open || !state.may_be_joined(joining) {
            return None;
        }
        let number = state.seat();
        drop(state);
        Some(Reader::new(Arc::clone(self), number))
    }

    /// Reads on. Whoever feeds the source waits for that only where it holds no more than it must.
    pub(super) fn next(&self, reader: u64, waker: &Waker) -> Next {
        let mut state = self.lock();
        let next = state.next(reader, waker);
        if !state.open && matches!(next, Next::Chunk(_)) {
            Self::wake_source(state);
        }
        next
    }

    /// Lets a later call race this one for the first head, unless it has one.
    pub(super) fn raced_by(self: &Arc<Self>, newer: &Arc<Self>) {
        let mut state = self.lock();
        if state.head.is_some() || state.end.is_some() {
            return;
        }
        let race = Arc::clone(state.race.get_or_insert_with(|| Arc::new(Race::of(self))));
        drop(state);
        race.enter(newer);
        newer.lock().race = Some(race);
    }

    /// The number of readers that wait for the head.
    pub(super) fn waiting(&self) -> usize {
        let state = self.lock();
        if state.head.is_some() { 0 } else { state.readers.len() }
    }

    /// Gives the readers that wait for the head places in another call.
    pub(super) fn give(&self, places: Vec<Reader>) {
        let mut places = places.into_iter();
        self.change(|state| {
            let waiting = state.readers.values_mut().filter(|place| place.won.is_none());
            waiting.zip(places.by_ref()).for_each(|(place, won)| place.won = Some(won));
        });
    }

    /// A reader leaves.
    pub(super) fn leave(&self, reader: u64) {
        let mut state = self.lock();
        let place = state.readers.remove(&reader);
        state.is_left |= reader == FIRST && state.head.is_none();
        Self::wake_source(state);
        drop(place);
    }

    fn wake_source(mut state: MutexGuard<'_, State>) {
        let wakers = std::mem::take(&mut state.source);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    pub(super) fn readers_ever(&self) -> u64 {
        self.next_reader
    }

    fn may_be_joined(&self, joining: Option<&Joining>) -> bool {
        let (Some(joining), Some(terms)) = (joining, &self.terms) else { return true };
        let is_given_up = self.head.is_none() && joining.is_given_up(terms, self.is_left);
        !is_given_up && !joining.may_retry(terms)
    }

    fn seat(&mut self) -> u64 {
        let number = self.next_reader;
        self.next_reader += 1;
        self.readers.insert(number, Place::default());
        number
    }

    /// Adds a chunk; whether that is more than may be held for newcomers.
    pub(super) fn push(&mut self, bytes: Bytes) -> bool {
        self.held += bytes.len() + OVERHEAD;
        self.chunks.push_back(bytes);
        if !self.open {
            self.forget();
        }
        // What nobody can join is little in any case, and counted as far as there is room.
        let is_full = self.room.hold(self.held).is_err();
        self.open && (is_full || self.held > self.bound)
    }

    pub(super) fn close(&mut self) {
        self.open = false;
        self.forget();
    }

    /// Forgets what everybody has read and, over the bound, what the foremost has: the others are
    /// too far behind.
    fn forget(&mut self) {
        let positions = self.readers.values().map(|place| place.at);
        let (Some(last), Some(first)) = (positions.clone().min(), positions.max()) else {
            self.forgotten += self.chunks.len() as u64;
            self.chunks.clear();
            self.held = 0;
            self.room.keep(0);
            return;
        };
        while self.forgotten < last || self.held > self.bound && self.forgotten < first {
            let Some(chunk) = self.chunks.pop_front() else { break };
            self.held -= chunk.len() + OVERHEAD;
            self.forgotten += 1;
        }
        self.room.keep(self.held);
        // Who is lost does not count as a reader: an answer is not finished for them.
        self.readers.retain(|_, place| place.at >= self.forgotten);
    }

    /// Whether more may be pushed. The foremost reader sets the pace of what nobody can join.
    pub(super) fn has_room(&self) -> bool {
        let first = self.readers.values().map(|place| place.at).max();
        let Some(first) = first.filter(|_| !self.open) else { return true };
        let read = usize::try_from(first.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        let unread = self.chunks.iter().skip(read);
        unread.map(|chunk| chunk.len() + OVERHEAD).sum::<usize>() <= self.bound / 2
    }

    pub(super) fn await_readers(&mut self, waker: &Waker) {
        if !self.source.iter().any(|known| known.will_wake(waker)) {
            self.source.push(waker.clone());
        }
    }

    /// What a reader reads next; where there is nothing yet, it is woken when there is.
    fn next(&mut self, reader: u64, waker: &Waker) -> Next {
        let Some(place) = self.readers.get_mut(&reader) else { return Next::Lost };
        let Some(skip) = place.at.checked_sub(self.forgotten) else { return Next::Lost };
        let chunk = usize::try_from(skip).ok().and_then(|skip| self.chunks.get(skip));
        if let Some(chunk) = chunk {
            place.at += 1;
            return Next::Chunk(chunk.clone());
        }
        if let Some(end) = &self.end {
            return Next::End(end.clone());
        }
        Self::wait(place, waker);
        Next::Nothing
    }

    /// The head, or how it ended without one; where there is nothing yet, the reader is woken when
    /// there is.
    pub(super) fn head(&mut self, reader: u64, waker: &Waker) -> Option<Result<Head, End>> {
        if let Some(head) = &self.head {
            return Some(Ok(head.clone()));
        }
        if let Some(end) = &self.end {
            return Some(Err(end.clone()));
        }
        Self::wait(self.readers.get_mut(&reader)?, waker);
        None
    }

    /// Whether there is an end, or newcomers are no longer taken on.
    pub(super) fn poll_ended(&mut self, reader: u64, waker: &Waker) -> Poll<()> {
        match self.readers.get_mut(&reader) {
            Some(place) if self.end.is_none() && self.open => Self::wait(place, waker),
            _ => return Poll::Ready(()),
        }
        Poll::Pending
    }

    /// The place of a reader in a call that has the first head.
    pub(super) fn won(&mut self, reader: u64) -> Option<Reader> {
        self.readers.get_mut(&reader)?.won.take()
    }

    fn wait(place: &mut Place, waker: &Waker) {
        match &mut place.waker {
            Some(known) => known.clone_from(waker),
            None => place.waker = Some(waker.clone()),
        }
    }
}
