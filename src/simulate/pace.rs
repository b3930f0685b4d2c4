//! How many calls per minute: a bucket that refills steadily.
//!
//! Knows neither clock nor wire: it is told how long the provider has been running.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MINUTE_NANOS: u64 = 60_000_000_000;

/// A bucket that holds one second's worth of calls, and at least one: a minute's worth at once
/// would let a short run through unlimited.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the bucket will be full, in nanoseconds since the start (GCRA): one number, so one
    /// atomic is the whole state.
    full_at: AtomicU64,
}

/// How the bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// Calls that a full bucket lets through at once.
    pub(super) limit: u64,
    /// Calls that would be let through at once.
    pub(super) remaining: u64,
    /// Time until it is full.
    pub(super) reset: Duration,
}

impl Pace {
    /// Takes one call out, or says how long until there is one. `rpm` is not 0.
    pub(super) fn take(&self, rpm: u32, now: Duration) -> Result<(), Duration> {
        let (now, interval) = (nanos(now), interval(rpm));
        let depth = interval * capacity(rpm);
        let next = |full_at: u64| {
            let next = full_at.max(now) + interval;
            (next - now <= depth).then_some(next)
        };
        match self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Ok(()),
            Err(full_at) => {
                Err(Duration::from_nanos((full_at.max(now) + interval - now).saturating_sub(depth)))
            }
        }
    }

    /// How the bucket stands. `rpm` is not 0.
    pub(super) fn level(&self, rpm: u32, now: Duration) -> Level {
        let reset = self.full_at.load(Ordering::Relaxed).saturating_sub(nanos(now));
        let taken = reset.div_ceil(interval(rpm));
        let limit = capacity(rpm);
        let (remaining, reset) = (limit.saturating_sub(taken), Duration::from_nanos(reset));
        Level { limit, remaining, reset }
    }
}

fn interval(rpm: u32) -> u64 {
    MINUTE_NANOS / u64::from(rpm.max(1))
}

fn capacity(rpm: u32) -> u64 {
    u64::from(rpm / 60).max(1)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_is_let_through_at_once_then_the_rate() {
        let pace = Pace::default();
        let now = Duration::from_secs(5);
        for _ in 0..10 {
            assert_eq!(pace.take(600, now), Ok(()));
        }
        assert_eq!(pace.take(600, now), Err(Duration::from_millis(100)));
        let level = Level { limit: 10, remaining: 0, reset: Duration::from_secs(1) };
        assert_eq!(pace.level(600, now), level);
        assert_eq!(pace.take(600, now + Duration::from_millis(100)), Ok(()));
        assert_eq!(pace.take(600, now + Duration::from_mins(1)), Ok(()));
        assert_eq!(pace.level(600, now + Duration::from_mins(1)).remaining, 9);
    }

    #[test]
    fn less_than_one_call_per_second_still_lets_one_through() {
        let pace = Pace::default();
        assert_eq!(pace.take(3, Duration::ZERO), Ok(()));
        assert_eq!(pace.take(3, Duration::from_secs(1)), Err(Duration::from_secs(19)));
    }
}
