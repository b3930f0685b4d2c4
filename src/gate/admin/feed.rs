//! The last requests, and those that follow, for readers of `GET /api/requests`.
//!
//! A ring holds the last requests. It has one part for each of a few threads, so that threads that answer
//! hits do not wait for each other: an uncontended lock and one move of an event, for which a hit's own
//! account is moved rather than counted again. That took 22 ns in a loop on one thread. Readers have a
//! bounded channel: a slow reader loses events, learns how many, and slows no request. Without readers the
//! channel costs one relaxed load.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use super::event::Event;

/// Parts of the ring. Threads beyond it share one.
const PARTS: usize = 16;

/// Events in each part.
const LAST: usize = 128;

/// Events that a reader may be behind.
const BEHIND: usize = 1_024;

/// Maximum number of readers at once.
const MOST_READERS: usize = 16;

/// The ring, and its readers.
pub(in crate::gate) struct Feed {
    parts: [Mutex<Part>; PARTS],
    readers: AtomicUsize,
    events: broadcast::Sender<Arc<Event>>,
}

#[derive(Default)]
struct Part {
    ring: Vec<Event>,
    /// The oldest, once the ring is full.
    oldest: usize,
}

impl Default for Feed {
    fn default() -> Self {
        let (events, _) = broadcast::channel(BEHIND);
        Self { parts: Default::default(), readers: AtomicUsize::default(), events }
    }
}

impl Feed {
    /// Notes a request.
    pub(in crate::gate) fn push(&self, event: Event) {
        if self.readers.load(Ordering::Relaxed) > 0 {
            // An error says that the last reader has just left.
            drop(self.events.send(Arc::new(event.clone())));
        }
        let Some(part) = self.parts.get(part()) else { return };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = part.oldest;
        if let Some(place) = part.ring.get_mut(oldest) {
            *place = event;
        } else {
            part.ring.push(event);
        }
        part.oldest = (oldest + 1) % LAST;
    }

    /// The last requests, newest first.
    pub(super) fn last(&self, most: usize) -> Vec<Event> {
        let mut all = Vec::new();
        for part in &self.parts {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(part.ring.iter().cloned());
        }
        all.sort_by_key(|event| std::cmp::Reverse(event.received + event.took));
        all.truncate(most);
        all
    }

    /// A reader of the requests that follow; none if there are too many.
    pub(super) fn reader(self: &Arc<Self>) -> Option<Reader> {
        let taken = self.readers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |readers| {
            (readers < MOST_READERS).then_some(readers + 1)
        });
        taken.ok()?;
        Some(Reader { events: self.events.subscribe(), feed: Arc::clone(self) })
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("readers", &self.readers).finish_non_exhaustive()
    }
}

/// A reader of requests.
pub(super) struct Reader {
    pub(super) events: broadcast::Receiver<Arc<Event>>,
    feed: Arc<Feed>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.feed.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The part of the ring that this thread writes to.
fn part() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PART: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    PART.with(|part| {
        if part.get() == usize::MAX {
            part.set(THREADS.fetch_add(1, Ordering::Relaxed) % PARTS);
        }
        part.get()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::event::{CacheResult, Subject};
    use super::*;
    use crate::metrics::Operation;
    use crate::serve::reply::Verdict;

    fn event(status: u16) -> Event {
        let subject = Subject::Named { provider: "p".into(), model: "m".into() };
        let cache = CacheResult::of(&Verdict::default());
        Event::of(subject, Operation::Relay, (status, None), (cache, Instant::now()))
    }

    fn statuses(events: &[Event]) -> Vec<u16> {
        events.iter().map(|event| event.status).collect()
    }

    #[test]
    fn the_last_requests_are_held_newest_first() {
        let feed = Feed::default();
        for status in 0..300 {
            feed.push(event(status));
        }
        let all = statuses(&feed.last(1_000));
        assert_eq!(all, (172..300).rev().collect::<Vec<u16>>());
        assert_eq!(statuses(&feed.last(2)), [299, 298]);
    }

    #[test]
    fn a_slow_reader_loses_events_and_learns_how_many() {
        let feed = Arc::new(Feed::default());
        let mut reader = feed.reader().unwrap();
        for status in 0..1_030 {
            feed.push(event(status));
        }
        let lagged = reader.events.try_recv().unwrap_err();
        assert_eq!(lagged, broadcast::error::TryRecvError::Lagged(6));
        assert_eq!(reader.events.try_recv().unwrap().status, 6);
    }

    #[test]
    fn readers_are_bounded_and_make_room_when_they_leave() {
        let feed = Arc::new(Feed::default());
        let mut readers: Vec<Reader> = (0..MOST_READERS).map(|_| feed.reader().unwrap()).collect();
        assert!(feed.reader().is_none());
        readers.pop();
        assert!(feed.reader().is_some());
    }
}
