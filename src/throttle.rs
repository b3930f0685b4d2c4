//! A line of the log that is not repeated at once, however often its cause is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time that the line is not repeated for.
const SILENCE: Duration = Duration::from_mins(1);

/// The last line about a cause.
#[derive(Debug, Clone, Default)]
pub struct Throttle {
    last: Option<Instant>,
    /// Occurrences since the last line that have none.
    suppressed: u64,
}

impl Throttle {
    /// Without a line yet.
    pub const fn new() -> Self {
        Self { last: None, suppressed: 0 }
    }

    /// Counts an occurrence. If it is to be logged, returns the number of those before it that were not.
    pub fn occur(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < SILENCE) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }

    /// The same for one that threads share. 0 is none, for the field of a line.
    pub fn shared(throttle: &Mutex<Self>) -> Option<Option<u64>> {
        let next = throttle.lock().unwrap_or_else(PoisonError::into_inner).occur();
        next.map(|suppressed| (suppressed > 0).then_some(suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_the_next_are_counted() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.occur(), Some(0));
        assert_eq!([throttle.occur(), throttle.occur()], [None, None]);
        throttle.last = Instant::now().checked_sub(SILENCE);
        assert_eq!(throttle.occur(), Some(2));
        assert_eq!(throttle.occur(), None);
    }
}
