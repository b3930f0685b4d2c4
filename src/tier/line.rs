//! A tier's own line of seconds, which outlives this process or is shared with others, and where this
//! process's clock stands on it.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Moment;

/// How far ahead of this moment an entry may have been stored: clocks that are compared are read a
/// little apart. What is further ahead was stored under a clock that was wrong.
const AHEAD: i64 = 5;

/// The line's second at the zero of this process's clock.
#[derive(Debug, Default)]
pub(super) struct Line(AtomicI64);

impl Line {
    /// Notes which second of the line it is at a moment.
    pub(super) fn set(&self, now: Moment, seconds: i64) {
        self.0.store(seconds.saturating_sub(now.as_seconds()), Ordering::Relaxed);
    }

    /// The second of a moment.
    pub(super) fn second(&self, moment: Moment) -> i64 {
        match moment {
            Moment::NEVER => i64::MAX,
            moment => moment.as_seconds().saturating_add(self.0.load(Ordering::Relaxed)),
        }
    }

    /// When an entry was stored and when it ends, in this process's moments; `None` if it was stored
    /// in the future.
    pub(super) fn moments(
        &self,
        stored: i64,
        expires: i64,
        now: Moment,
    ) -> Option<(Moment, Moment)> {
        let age = self.second(now).saturating_sub(stored);
        if age < -AHEAD {
            return None;
        }
        let stored_at = now.before(u64::try_from(age).unwrap_or(0));
        let ends = match expires.checked_sub(stored) {
            Some(_) if expires == i64::MAX => Moment::NEVER,
            // Never longer than it was given, whatever the clock was.
            Some(lasts) => stored_at.after_seconds(lasts),
            None => return None,
        };
        Some((stored_at, ends))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn ages_and_ends_survive_another_process() {
        let now = Clock::start().now();
        let (old, new) = (Line::default(), Line::default());
        old.set(now, 1_000);
        let (stored, expires) = (old.second(now), old.second(now.after_seconds(60)));
        new.set(now, 1_025);
        let (stored_at, ends) = new.moments(stored, expires, now).unwrap();
        assert_eq!(now.since(stored_at), 25);
        assert_eq!(ends.since(now), 35);
        assert_eq!(new.moments(stored, i64::MAX, now).unwrap().1, Moment::NEVER);
    }

    #[test]
    fn what_was_stored_in_the_future_is_not_there_and_a_little_ahead_is_now() {
        let now = Clock::start().now();
        let line = Line::default();
        line.set(now, 1_000);
        assert!(line.moments(1_000 + AHEAD + 1, i64::MAX, now).is_none());
        let (stored_at, ends) = line.moments(1_002, 1_012, now).unwrap();
        assert_eq!((now.since(stored_at), ends.since(now)), (0, 10));
        for (stored, expires) in [(i64::MIN, 0), (i64::MAX, i64::MIN), (0, i64::MIN)] {
            let found = line.moments(stored, expires, now);
            assert!(found.is_none_or(|(_, ends)| ends <= now), "{found:?}");
        }
    }
}
