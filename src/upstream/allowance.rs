//! A provider's count of calls in a period, mirrored, so that calls are spread before they are refused.

use std::time::{Duration, Instant};

use super::told::Calls;

/// The longest time that calls are spread over. For a longer one the provider itself says when to come back.
const LONGEST: Duration = Duration::from_mins(1);

/// The provider's count of calls, mirrored: it refills steadily.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    left: f64,
    most: f64,
    per_second: f64,
    at: Instant,
}

impl Allowance {
    /// As a provider tells it, where so much was known.
    pub(super) fn told(known: Option<Self>, calls: Calls, under_way: u32, now: Instant) -> Self {
        let Calls { left, .. } = calls;
        let most = known.map_or(0.0, |known| known.most).max(left + 1.0);
        let mirrored = known.map_or(left, |known| known.left);
        // The provider counts whole calls, and perhaps not yet all of those that are under way.
        let least = left - f64::from(under_way);
        let left = mirrored.max(least).min(left + 1.0);
        Self { left, most, per_second: calls.per_second(most), at: now }
    }

    /// One call less.
    pub(super) fn spent(self, now: Instant) -> Self {
        let refilled = self.refilled(now);
        Self { left: refilled.left - 1.0, ..refilled }
    }

    /// As it is at a time.
    pub(super) fn refilled(self, now: Instant) -> Self {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        Self { left: (self.left + gained).min(self.most), at: now, ..self }
    }

    /// When the next call may be made.
    pub(super) fn next(self, now: Instant) -> Instant {
        let missing = 1.0 - self.refilled(now).left;
        let wait = Duration::try_from_secs_f64(missing / self.per_second).unwrap_or_default();
        if wait > LONGEST { now } else { now + wait }
    }

    /// Whether it lets so many calls through at once: then there is nothing to know about it.
    pub(super) fn allows(self, calls: f64) -> bool {
        self.left >= calls
    }
}
