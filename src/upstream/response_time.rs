//! Expected response times, so that a call that takes much longer is not joined. Estimated as TCP estimates
//! its retransmission time-out (RFC 6298): a smoothed time, and four times its smoothed deviation.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Upstream;
use crate::key::{Digest, KeyHasher};

/// Maximum number of lines with an estimate. Clients choose credentials and models.
const MOST: usize = 1_024;

/// Response times by line: provider, credential, path and model.
#[derive(Debug, Default)]
pub(super) struct ResponseTimes(Mutex<HashMap<Digest, Estimate, KeyHasher>>);

#[derive(Debug, Clone, Copy)]
struct Estimate {
    smoothed: Duration,
    deviation: Duration,
}

impl Upstream {
    /// The time within which calls of a line usually have a response, if it is known.
    pub fn usual_time(&self, line: &Digest) -> Option<Duration> {
        self.times.usual(line)
    }
}

impl ResponseTimes {
    /// Notes the time of one successful call.
    pub(super) fn observe(&self, line: Digest, took: Duration) {
        let mut estimates = self.lock();
        if estimates.len() >= MOST && !estimates.contains_key(&line) {
            // The estimates are learned again.
            estimates.clear();
        }
        let first = Estimate { smoothed: took, deviation: took / 2 };
        estimates.entry(line).and_modify(|estimate| estimate.update(took)).or_insert(first);
    }

    /// The time within which a call usually has a response; `None` before the first one.
    fn usual(&self, line: &Digest) -> Option<Duration> {
        let estimate = *self.lock().get(line)?;
        Some(estimate.smoothed + 4 * estimate.deviation)
    }

    /// Poisoned, it is still a whole map.
    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Estimate, KeyHasher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Estimate {
    /// RFC 6298, section 2.3: the deviation first, with weights of a quarter and an eighth.
    fn update(&mut self, took: Duration) {
        self.deviation = (self.deviation * 3 + self.smoothed.abs_diff(took)) / 4;
        self.smoothed = (self.smoothed * 7 + took) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_usual_time_is_a_smoothed_one_and_four_deviations() {
        let (times, line) = (ResponseTimes::default(), Digest::of(b"line"));
        assert_eq!(times.usual(&line), None);
        times.observe(line, seconds(2));
        assert_eq!(times.usual(&line), Some(seconds(6)));
        for _ in 0..100 {
            times.observe(line, seconds(2));
        }
        let steady = times.usual(&line).unwrap();
        assert!(steady < Duration::from_millis(2_010), "{steady:?}");
        times.observe(line, seconds(10));
        assert!(times.usual(&line).unwrap() > seconds(10));
    }

    #[test]
    fn the_number_of_lines_is_bounded() {
        let times = ResponseTimes::default();
        for n in 0..2 * MOST {
            times.observe(Digest::of(&n.to_le_bytes()), Duration::from_millis(1));
        }
        assert!(times.lock().len() <= MOST);
        let last = Digest::of(&(2 * MOST - 1).to_le_bytes());
        assert!(times.usual(&last).is_some());
    }
}
