//! One provider's answer as it comes, and everybody who reads it.
//!
//! The first to ask a question leads: it gets the [`Source`], which a task of the server's own feeds,
//! and a [`Reader`] like everybody else. Who asks the same while the answer still comes reads it
//! from its first byte. What is held is bounded in bytes, for one and for all together: beyond a bound
//! nobody new is taken on, and what all have read is forgotten. From then on the foremost reader sets the pace, and one that
//! is the whole bound behind is broken off, so that it slows nobody.
//!
//! A call without a head is not joined when it is overdue or when its first reader has left, and never by a
//! retry of a request that reads it ([`Joining`]). Then a newcomer leads a second call to the same question.
//! The readers of the first get the head that comes first.

mod race;
mod reader;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

pub use reader::{Broken, Reader};
use state::{Shared, State};

use crate::ceiling::Ceiling;
use crate::error::Error;
use crate::joining::Joining;
use crate::key::{CacheKey, KeyHasher};
use crate::sync::{Mutex, MutexGuard};
use crate::trace::Served;

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// As sent.
    pub status: StatusCode,
    /// As sent.
    pub headers: HeaderMap,
    /// Whether the answer will be kept if it ends well.
    pub storable: bool,
    /// The call that it came by, where that is traced.
    pub call: Option<Served>,
}

/// How an answer ended.
#[derive(Debug, Clone)]
pub enum End {
    /// With its last byte.
    Complete,
    /// Before it.
    Cut,
    /// Before its first byte, with nothing to give but this.
    Failed(Error),
}

/// The answers that are on their way, by their questions.
pub struct Broadcasts {
    running: Mutex<HashMap<CacheKey, Arc<Shared>, KeyHasher>>,
    /// Room for what they hold, all together.
    room: Arc<Ceiling>,
}

/// What somebody who asks gets.
#[derive(Debug)]
pub enum Joined<T> {
    /// Nobody asks this now: the caller feeds the source, and reads like everybody else.
    Leads(Source, Reader),
    /// Somebody asks this already.
    Follows(Reader),
    /// It was found elsewhere in the meantime.
    Found(T),
}

impl Broadcasts {
    /// Nothing is on its way.
    pub fn new(hasher: &KeyHasher, room: &Arc<Ceiling>) -> Arc<Self> {
        let running = Mutex::new(HashMap::with_hasher(hasher.clone()));
        Arc::new(Self { running, room: Arc::clone(room) })
    }

    /// Joins the response to a question, or begins it with a bound in bytes. `look` is called if there is none
    /// to join, under the lock: no other request can begin or end the same one meanwhile. Without `joining`,
    /// every response in flight may be joined.
    pub fn join<T>(
        self: &Arc<Self>,
        key: CacheKey,
        bound: usize,
        joining: Option<&Joining>,
        look: impl FnOnce() -> Option<T>,
    ) -> Joined<T> {
        let mut running = self.lock();
        let known = running.get(&key);
        if let Some(reader) = known.and_then(|shared| shared.read_if_open(joining)) {
            return Joined::Follows(reader);
        }
        if let Some(found) = look() {
            return Joined::Found(found);
        }
        let terms = joining.map(Joining::terms);
        let shared = Arc::new(Shared::new(bound, self.room.room(), terms));
        let reader = shared.read();
        if let Some(older) = running.insert(key, Arc::clone(&shared)) {
            older.raced_by(&shared);
        }
        Joined::Leads(Source { shared, place: Some((Arc::clone(self), key)) }, reader)
    }

    /// An answer that nobody else can join, with a bound in bytes.
    pub fn alone(&self, bound: usize) -> (Source, Reader) {
        let shared = Arc::new(Shared::new(bound, self.room.room(), None));
        let reader = shared.read();
        (Source { shared, place: None }, reader)
    }

    /// How many answers can be joined now.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Arc<Shared>, KeyHasher>> {
        // A poisoned map is still whole: nothing panics between two changes of it.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Broadcasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcasts").finish_non_exhaustive()
    }
}

/// Where an answer is fed in. Dropping it without an end cuts the answer off.
#[derive(Debug)]
pub struct Source {
    shared: Arc<Shared>,
    /// Where it can be joined, if it can.
    place: Option<(Arc<Broadcasts>, CacheKey)>,
}

impl Source {
    /// Gives the head.
    pub fn head(&self, head: Head) {
        let race = self.shared.change(|state| {
            state.head = Some(head);
            state.race.clone()
        });
        if let Some(race) = race {
            race.won_by(&self.shared);
        }
    }

    /// Gives more of the body.
    pub fn push(&self, bytes: Bytes) {
        let overflows = self.shared.change(|state| state.push(bytes));
        if overflows {
            self.close();
        }
    }

    /// Takes nobody new on, and holds only what is still to be read.
    pub fn close(&self) {
        self.shared.change(State::close);
        self.leave();
    }

    /// Everything so far, while nothing of it was forgotten.
    pub fn whole(&self) -> Option<Vec<Bytes>> {
        let state = self.shared.lock();
        state.open.then(|| state.chunks.iter().cloned().collect())
    }

    /// How many have read it or do, from the first on.
    pub fn readers_ever(&self) -> u64 {
        self.shared.lock().readers_ever()
    }

    /// Whether somebody may still join.
    pub fn is_joinable(&self) -> bool {
        self.place.is_some() && self.shared.lock().open
    }

    /// Waits until more may be pushed: for the foremost reader, where nobody can join any more.
    pub async fn room(&self) {
        self.wait(State::has_room).await;
    }

    /// Waits until nobody reads.
    pub async fn deserted(&self) {
        self.wait(|state| state.readers.is_empty()).await;
    }

    /// Takes nobody new on, if nobody reads; whether that is so.
    pub fn abandon(&self) -> bool {
        let running = self.place.as_ref().map(|(broadcasts, _)| broadcasts.lock());
        let mut state = self.shared.lock();
        let deserted = state.readers.is_empty();
        if deserted {
            state.open = false;
        }
        drop(state);
        drop(running);
        if deserted {
            self.leave();
        }
        deserted
    }

    /// Ends the answer. Whoever asks from now on does not find it here.
    pub fn end(self, end: End) {
        self.leave();
        self.shared.change(|state| state.end = Some(end));
    }

    async fn wait(&self, ready: impl Fn(&State) -> bool) {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            if ready(&state) {
                return Poll::Ready(());
            }
            state.await_readers(context.waker());
            Poll::Pending
        })
        .await;
    }

    fn leave(&self) {
        let Some((broadcasts, key)) = &self.place else { return };
        let mut running = broadcasts.lock();
        // Only its own place: after it was closed the question may be somebody else's.
        if running.get(key).is_some_and(|shared| Arc::ptr_eq(shared, &self.shared)) {
            running.remove(key);
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.leave();
        self.shared.change(|state| {
            state.end.get_or_insert(End::Cut);
        });
    }
}
