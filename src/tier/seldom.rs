//! A log line that is not repeated at once, however often its cause is.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Moment;

/// Seconds that a line is not repeated for.
const SILENCE: i64 = 60;

/// When a line was last written.
#[derive(Debug)]
pub(super) struct Seldom(AtomicI64);

impl Seldom {
    pub(super) fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// Whether the line may be written now.
    pub(super) fn may(&self, now: Moment) -> bool {
        let (now, last) = (now.as_seconds(), self.0.load(Ordering::Relaxed));
        let due = now.saturating_sub(last) >= SILENCE;
        due && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
