//! What is counted while a block runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::cached::Cached;
use super::stream::Streamed;
use super::trouble::Trouble;
use super::truth::Found;

/// Times up to an hour, in nanoseconds, to a thousandth.
const LONGEST: u64 = 3_600_000_000_000;
const SHORTEST: u64 = 1_000;
const DIGITS: u8 = 3;

/// Times, with every percentile of theirs, in bounded memory.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(SHORTEST, LONGEST, DIGITS);
        Self(histogram.expect("the bounds are constants that fit each other"))
    }
}

impl Times {
    /// Counts one.
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(LONGEST));
    }

    /// Adds others.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// The seconds that this share of them does not exceed; nothing if there are none.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(share) as f64 / 1e9)
    }
}

/// What came of requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// From when a request was due to the end of its answer.
    pub(crate) latency: Times,
    /// To the first event of a stream.
    pub(crate) first_event: Times,
    /// Between two events of a stream.
    pub(crate) gaps: Times,
    pub(crate) events: u64,
    /// Good answers.
    pub(crate) answered: u64,
    /// Inputs of good answers.
    pub(crate) inputs: u64,
    /// Those of them that a cache without bound would not have had.
    pub(crate) fresh: u64,
    /// What targets say of their caches, where they do.
    pub(crate) cached: Option<Cached>,
    pub(crate) found: Found,
    pub(crate) troubles: BTreeMap<Trouble, u64>,
    /// Starts that the harness was more than a millisecond late with.
    pub(crate) late: u64,
}

/// What is counted of a good answer.
#[derive(Debug, Default)]
pub(crate) struct Good {
    pub(crate) inputs: u64,
    pub(crate) fresh: u64,
    pub(crate) cached: Option<Cached>,
    pub(crate) found: Found,
}

impl Tally {
    /// Counts a good answer, and how long after its time it was whole.
    pub(crate) fn add(&mut self, good: &Good, latency: Duration) {
        self.latency.add(latency);
        self.answered += 1;
        self.inputs += good.inputs;
        self.fresh += good.fresh;
        self.add_cached(good.cached);
        self.add_found(good.found);
    }

    /// Counts the events of a stream that was due at a time.
    pub(crate) fn add_stream(&mut self, stream: &Streamed, due: Instant) {
        self.events += stream.times.len() as u64;
        if let Some(first) = stream.times.first() {
            self.first_event.add(first.saturating_duration_since(due));
        }
        let pairs = stream.times.iter().zip(stream.times.iter().skip(1));
        pairs.for_each(|(one, next)| self.gaps.add(next.saturating_duration_since(*one)));
    }

    /// Counts a request without a good answer.
    pub(crate) fn add_trouble(&mut self, trouble: Trouble, latency: Duration) {
        *self.troubles.entry(trouble).or_default() += 1;
        if trouble.is_wait() {
            self.latency.add(latency);
        }
    }

    /// Adds what another counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.first_event.merge(&other.first_event);
        self.gaps.merge(&other.gaps);
        self.events += other.events;
        self.answered += other.answered;
        self.inputs += other.inputs;
        self.fresh += other.fresh;
        self.late += other.late;
        self.add_cached(other.cached);
        self.add_found(other.found);
        for (trouble, count) in &other.troubles {
            *self.troubles.entry(*trouble).or_default() += count;
        }
    }

    /// Requests without a good answer.
    pub(crate) fn failed(&self) -> u64 {
        self.troubles.values().sum()
    }

    /// All requests.
    pub(crate) fn requests(&self) -> u64 {
        self.answered + self.failed()
    }

    fn add_cached(&mut self, cached: Option<Cached>) {
        if let Some(more) = cached {
            let sum = self.cached.get_or_insert_default();
            sum.hit += more.hit;
            sum.joined += more.joined;
            sum.miss += more.miss;
        }
    }

    fn add_found(&mut self, found: Found) {
        self.found.checked += found.checked;
        self.found.wrong += found.wrong;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_exact_to_a_thousandth() {
        let mut times = Times::default();
        assert_eq!(times.quantile(0.5), None);
        (1..=1_000).for_each(|n| times.add(Duration::from_millis(n)));
        let near = |share, right: f64| {
            let found = times.quantile(share).unwrap();
            assert!((found / right - 1.0).abs() < 0.002, "{found}, {right}");
        };
        near(0.5, 0.5);
        near(0.99, 0.99);
        near(1.0, 1.0);
    }

    #[test]
    fn waiting_in_vain_is_a_latency_and_a_refusal_is_none() {
        let mut tally = Tally::default();
        let second = Duration::from_secs(1);
        tally.add_trouble(Trouble::Status(500), second);
        assert_eq!(tally.latency.quantile(1.0), None);
        tally.add_trouble(Trouble::TimedOut, second);
        assert!(tally.latency.quantile(1.0) >= Some(1.0));
        tally.add(&Good { inputs: 3, fresh: 1, ..Good::default() }, second);
        let mut sum = tally.clone();
        sum.merge(&tally);
        assert_eq!((sum.requests(), sum.failed(), sum.inputs, sum.fresh), (6, 4, 6, 2));
    }
}
