//! Time as entries know it: whole seconds on a line that never jumps.
//!
//! The line is the monotonic clock's, so a step of the wall clock neither expires nor revives
//! anything.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A second on the clock's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// A moment that never comes.
    pub const NEVER: Self = Self(i64::MAX);

    /// Whole seconds from an earlier moment to this one; 0 if it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// The moment a time later, to the next full second.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        i64::try_from(seconds).map_or(Self::NEVER, |seconds| Self(self.0.saturating_add(seconds)))
    }

    /// The moment so many seconds later.
    #[must_use]
    pub fn after_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The moment so many seconds earlier.
    #[must_use]
    pub fn before(self, seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(seconds))
    }

    /// The number of the second on its line, for sums.
    pub fn as_seconds(self) -> i64 {
        self.0
    }
}

/// The wall clock's seconds since 1970, for who reads them elsewhere.
pub fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Tells the moment.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The moment of an instant.
    pub fn at(&self, instant: Instant) -> Moment {
        let elapsed = instant.saturating_duration_since(self.start).as_secs();
        Moment(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    /// Milliseconds since the clock started, for times that are shorter than a second.
    pub fn milliseconds(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// This moment.
    pub fn now(&self) -> Moment {
        self.at(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_lasts_a_second_and_a_long_one_for_ever() {
        let now = Clock::start().now();
        assert_eq!(now.after(Duration::ZERO), now);
        assert_eq!(now.after(Duration::from_millis(1)).since(now), 1);
        assert_eq!(now.after(Duration::from_secs(u64::MAX)), Moment::NEVER);
    }

    #[test]
    fn time_does_not_run_backwards() {
        let now = Clock::start().now();
        assert_eq!(now.since(now.after(Duration::from_secs(5))), 0);
    }
}
