//! How long background work waits for a provider that has no time, and when it gives up.

use std::time::{Duration, Instant};

/// So long may pass without anything going on.
const LONGEST: Duration = Duration::from_mins(10);

/// How long to wait where nobody says: at first, and at the most.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The patience of one who asks again and again.
#[derive(Debug)]
pub struct Patience {
    since: Instant,
    refusals: u32,
}

impl Patience {
    /// Full.
    pub fn new(now: Instant) -> Self {
        Self { since: now, refusals: 0 }
    }

    /// Something came.
    pub fn refill(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// How long to wait after a refusal that says how long, or does not; `None` if it is no use.
    pub fn wait(&mut self, said: Option<Duration>, now: Instant) -> Option<Duration> {
        let doubled = WAIT.0 * (1 << self.refusals.min(16));
        self.refusals += 1;
        let wait = said.unwrap_or(doubled.min(WAIT.1)).max(WAIT.0 / 10);
        let left = LONGEST.checked_sub(now.saturating_duration_since(self.since))?;
        (wait <= left).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_as_long_as_it_is_told_and_gives_up_after_ten_minutes() {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        assert_eq!(
            patience.wait(Some(Duration::from_secs(7)), start),
            Some(Duration::from_secs(7))
        );
        assert_eq!(patience.wait(None, start), Some(Duration::from_secs(1)));
        assert_eq!(patience.wait(Some(Duration::from_hours(1)), start), None);
        for _ in 0..40 {
            patience.wait(None, start).expect("there is time");
        }
        assert_eq!(patience.wait(None, start), Some(WAIT.1));
        let late = start + LONGEST;
        assert_eq!(patience.wait(None, late), None);
        patience.refill(late);
        assert_eq!(patience.wait(None, late), Some(WAIT.0));
    }
}
