//! The time that a call spends waiting for its client: for more of the request body, or until the response is read.
//!
//! A call in progress holds its turn. Where other calls wait for one, a call whose client kept it waiting for
//! [`PATIENCE`] in all loses its turn: it continues over its connection, and the next call starts. Without that, a
//! few clients that stall could hold every turn of a provider.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Total time for which a client may keep a call waiting before the call's turn is taken back.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// The time that one call has spent waiting for its client.
#[derive(Debug)]
pub struct ClientTime {
    origin: Instant,
    /// Microseconds from the origin to the beginning of the wait that is in progress, plus one; 0 is none.
    since: AtomicU64,
    /// Microseconds of the waits that have ended.
    ended: AtomicU64,
}

impl ClientTime {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), since: AtomicU64::new(0), ended: AtomicU64::new(0) }
    }

    /// The call waits for its client from now on.
    pub fn begin(&self) {
        self.since.store(self.micros(Instant::now()) + 1, Ordering::Relaxed);
    }

    /// The call waits for its client no longer.
    pub fn end(&self) {
        let since = self.since.swap(0, Ordering::Relaxed);
        if since > 0 {
            let waited = (self.micros(Instant::now()) + 1).saturating_sub(since);
            self.ended.fetch_add(waited, Ordering::Relaxed);
        }
    }

    /// The time that is left until the patience with the client ends; `None` while the call does not wait for it.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        let current = self.micros(now).saturating_sub(since);
        let waited = Duration::from_micros(self.ended.load(Ordering::Relaxed) + current);
        Some(PATIENCE.saturating_sub(waited))
    }

    fn micros(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_of_one_client_add_up() {
        let time = ClientTime::new();
        let (now, second) = (time.origin, Duration::from_secs(1));
        assert_eq!(time.left(now), None);
        time.since.store(1, Ordering::Relaxed);
        assert_eq!(time.left(now + second / 4), Some(second * 3 / 4));
        time.ended.store(500_000, Ordering::Relaxed);
        assert_eq!(time.left(now + second / 4), Some(second / 4));
        assert_eq!(time.left(now + second), Some(Duration::ZERO));
        time.end();
        assert_eq!(time.left(now + second), None);
    }
}
