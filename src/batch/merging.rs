//! Merging that fails: a lane stops merging for a growing while when merged calls keep failing whose requests each
//! succeed alone.
//!
//! Every such call is made in vain, and its inputs are billed twice. After the while, one call of two inputs tries
//! again; each success doubles the size that is tried next (slow start).

use std::time::{Duration, Instant};

use super::pause::Length;

/// Failures in a row after which merging stops. One may be an accident.
const FAILURES: u32 = 2;

/// The first pause, and the longest. Each stop doubles it.
const PAUSE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(1));

/// The time after which a trial whose outcome is not known is forgotten.
const TRIAL: Duration = Duration::from_secs(10);

/// The merging of one model's calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merging {
    /// Failures since a call of that size succeeded.
    failures: u32,
    /// Inputs of the last call that failed.
    failed: usize,
    /// Inputs of the largest call that succeeded.
    succeeded: usize,
    pause: Length,
    stop: Option<Stop>,
}

impl Default for Merging {
    fn default() -> Self {
        let pause = Length::between(PAUSE.0, PAUSE.1);
        Self { failures: 0, failed: 0, succeeded: 0, pause, stop: None }
    }
}

#[derive(Debug, Clone, Copy)]
struct Stop {
    /// Inputs that a call may have.
    most: usize,
    /// No larger call is tried before.
    until: Instant,
    /// Whether a larger one is being tried.
    is_tried: bool,
}

/// A change that the log and the metrics note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Calls have at most this many inputs for this long.
    Stopped(usize, Duration),
    /// Calls are merged again.
    Resumed,
}

impl Merging {
    /// Inputs that a merged call may have.
    pub(super) fn most(&self, now: Instant) -> usize {
        match self.stop {
            None => usize::MAX,
            Some(stop) if now < stop.until => stop.most,
            Some(stop) => stop.most.saturating_mul(2),
        }
    }

    /// The bound that is in force, and the time that is left of it.
    pub(super) fn stopped(&self, now: Instant) -> Option<(usize, Duration)> {
        self.stop.map(|stop| (stop.most, stop.until.saturating_duration_since(now)))
    }

    /// Notes that a merged call is sent. One that is larger than the bound is a trial, and the only one.
    pub(super) fn sent(&mut self, inputs: usize, now: Instant) {
        if let Some(stop) = self.stop.as_mut().filter(|stop| inputs > stop.most) {
            (stop.until, stop.is_tried) = (now + TRIAL, true);
        }
    }

    /// Notes that a merged call brought what was asked for.
    pub(super) fn succeeded(&mut self, inputs: usize, now: Instant) -> Option<Change> {
        self.succeeded = self.succeeded.max(inputs);
        if inputs >= self.failed {
            self.failures = 0;
        }
        let stop = self.stop.as_mut().filter(|stop| inputs > stop.most)?;
        *stop = Stop { most: inputs, until: now, is_tried: false };
        if inputs < self.failed {
            return None;
        }
        self.stop = None;
        Some(Change::Resumed)
    }

    /// Notes that a merged call failed whose requests each succeeded alone.
    pub(super) fn failed(&mut self, inputs: usize, now: Instant) -> Option<Change> {
        if let Some(stop) = &mut self.stop {
            if stop.is_tried || inputs <= stop.most {
                let most = if inputs <= stop.most { 1 } else { stop.most };
                let pause = self.pause.take();
                *stop = Stop { most, until: now + pause, is_tried: false };
                self.failed = inputs;
            }
            // Another one was sent before the stop.
            return None;
        }
        self.failures += 1;
        self.failed = inputs;
        if self.succeeded >= inputs {
            // The size is not the reason.
            self.succeeded = 0;
        }
        if self.failures < FAILURES {
            return None;
        }
        let (most, pause) = (self.succeeded.max(1), self.pause.take());
        self.stop = Some(Stop { most, until: now + pause, is_tried: false });
        Some(Change::Stopped(most, pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_stops_after_failures_in_a_row_and_begins_again_with_two() {
        let (mut merging, now) = (Merging::default(), Instant::now());
        assert_eq!(merging.failed(64, now), None);
        assert_eq!(merging.failed(64, now), Some(Change::Stopped(1, PAUSE.0)));
        assert_eq!((merging.most(now), merging.most(now + PAUSE.0)), (1, 2));
        // One trial at a time; in vain, it doubles the pause.
        let later = now + PAUSE.0;
        merging.sent(2, later);
        assert_eq!(merging.most(later), 1);
        assert_eq!(merging.failed(2, later), None);
        assert_eq!((merging.most(later + PAUSE.0), merging.most(later + 2 * PAUSE.0)), (1, 2));
    }

    #[test]
    fn each_success_doubles_the_size_until_it_is_the_old_one() {
        let (mut merging, now) = (Merging::default(), Instant::now());
        merging.failed(64, now);
        merging.failed(64, now);
        let mut later = now + PAUSE.0;
        for size in [2, 4, 8, 16, 32] {
            later += Duration::from_millis(1);
            assert_eq!(merging.most(later), size);
            merging.sent(size, later);
            assert_eq!(merging.succeeded(size, later), None);
        }
        merging.sent(64, later);
        assert_eq!(merging.succeeded(64, later), Some(Change::Resumed));
        assert_eq!(merging.most(later), usize::MAX);
    }

    #[test]
    fn calls_of_a_size_that_succeeded_go_on() {
        let (mut merging, now) = (Merging::default(), Instant::now());
        merging.succeeded(16, now);
        merging.failed(63, now);
        merging.succeeded(15, now);
        assert_eq!(merging.failed(63, now), Some(Change::Stopped(16, PAUSE.0)));
    }

    #[test]
    fn a_success_of_the_same_size_between_failures_is_no_reason_to_stop() {
        let (mut merging, now) = (Merging::default(), Instant::now());
        for _ in 0..9 {
            assert_eq!(merging.failed(8, now), None);
            merging.succeeded(8, now);
        }
    }
}
