//! From what was counted to what is said of a target.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;

use super::spread::Spread;
use crate::plan::Plan;
use crate::provider::Asked;
use crate::run::{Outcome, Ran, Round};
use crate::tally::{Tally, Times};

/// What is said of a target. Times are in seconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) requests: u64,
    pub(crate) answered: u64,
    /// Good answers a second.
    pub(crate) rps: f64,
    pub(crate) latency: Option<Quantiles>,
    /// Shares of the inputs: cached, joined to others' calls, and what a cache without bound would have had.
    pub(crate) hit_rate: Option<f64>,
    pub(crate) joined_rate: Option<f64>,
    pub(crate) expected_rate: Option<f64>,
    pub(crate) upstream_calls: Option<u64>,
    pub(crate) upstream_inputs: Option<u64>,
    pub(crate) error_rate: Option<f64>,
    pub(crate) errors: BTreeMap<String, u64>,
    /// Answers that were held against the right ones, and those that were wrong; before the clock started, too.
    pub(crate) checked: u64,
    pub(crate) wrong: u64,
    pub(crate) cpu_seconds_per_1000: Option<f64>,
    pub(crate) peak_memory_bytes: Option<u64>,
    pub(crate) memory_bytes_per_hour: Option<f64>,
    /// Seconds of the run, and bytes.
    pub(crate) memory: Vec<(f64, u64)>,
    pub(crate) stream: Option<Stream>,
    /// How many times better than the first target.
    pub(crate) ratio: Option<Spread>,
    pub(crate) rounds: Vec<RoundFigures>,
    /// Shares of the requests, and the latency that they do not exceed.
    pub(crate) curve: Vec<(f64, f64)>,
}

/// What is said of a round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RoundFigures {
    pub(crate) round: u32,
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    pub(crate) rps: f64,
    pub(crate) latency: Option<Quantiles>,
    pub(crate) hit_rate: Option<f64>,
    pub(crate) expected_rate: Option<f64>,
    pub(crate) failed: u64,
    pub(crate) late: u64,
    pub(crate) ratio: Option<f64>,
}

/// Latencies.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// What is said of streams.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stream {
    pub(crate) events_per_second: f64,
    pub(crate) first_event: Quantiles,
    pub(crate) gap: Option<Quantiles>,
}

/// The shares of the requests at which the curve of latencies is drawn.
const CURVE: [f64; 10] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0];

/// The figures of all targets.
pub(crate) fn of(plan: &Plan, ran: &Ran) -> Vec<Figures> {
    let first = ran.outcomes.first().map_or(&[][..], |outcome| &outcome.rounds);
    let pairs = plan.targets.iter().zip(&ran.outcomes).enumerate();
    let figures = pairs.map(|(place, (target, outcome))| {
        let mut figures = one(outcome);
        figures.name.clone_from(&target.name);
        figures.url = target.base.to_string();
        for (figures, round) in figures.rounds.iter_mut().zip(&outcome.rounds) {
            let other = first.iter().find(|other| other.number == round.number);
            let other = other.filter(|_| place > 0);
            figures.ratio = other.and_then(|other| ratio(plan, other, round));
        }
        figures.ratio = Spread::of(figures.rounds.iter().filter_map(|round| round.ratio).collect());
        figures
    });
    figures.collect()
}

fn one(outcome: &Outcome) -> Figures {
    let (mut sum, mut elapsed) = (Tally::default(), Duration::ZERO);
    for Round { measured, .. } in &outcome.rounds {
        sum.merge(&measured.tally);
        elapsed += measured.elapsed;
    }
    let asked = outcome.rounds.iter().filter_map(|round| round.asked).reduce(Asked::plus);
    let used = outcome.rounds.iter().filter_map(|round| round.processor).reduce(|a, b| a + b);
    let before = outcome.warming.as_ref().map(|measured| measured.tally.found).unwrap_or_default();
    let memory = outcome.memory.lock().unwrap_or_else(PoisonError::into_inner);
    let cached = sum.cached.unwrap_or_default();
    let joined = sum.cached.map(|_| cached.joined);
    let points = memory.points().iter().map(|(time, bytes)| (time.as_secs_f64(), *bytes));
    let curve = CURVE.into_iter().filter_map(|at| Some((at, sum.latency.quantile(at)?)));
    let errors = sum.troubles.iter().map(|(trouble, count)| (trouble.to_string(), *count));
    Figures {
        requests: sum.requests(),
        answered: sum.answered,
        rps: rate(sum.answered, elapsed),
        latency: Quantiles::of(&sum.latency),
        hit_rate: hit_rate(&sum),
        joined_rate: joined.and_then(|joined| share(joined, sum.inputs)),
        expected_rate: expected_rate(&sum),
        upstream_calls: asked.map(|asked| asked.calls),
        upstream_inputs: asked.map(|asked| asked.inputs),
        error_rate: share(sum.failed(), sum.requests()),
        errors: errors.collect(),
        checked: sum.found.checked + before.checked,
        wrong: sum.found.wrong + before.wrong,
        cpu_seconds_per_1000: used
            .filter(|_| sum.answered > 0)
            .map(|used| used.as_secs_f64() * 1e3 / sum.answered as f64),
        peak_memory_bytes: outcome.peak,
        memory_bytes_per_hour: memory.slope(),
        memory: points.collect(),
        stream: Quantiles::of(&sum.first_event).map(|first_event| Stream {
            events_per_second: rate(sum.events, elapsed),
            first_event,
            gap: Quantiles::of(&sum.gaps),
        }),
        rounds: outcome.rounds.iter().map(RoundFigures::of).collect(),
        curve: curve.collect(),
        ..Figures::default()
    }
}

impl Figures {
    /// The errors with their numbers, in one line; none if there were none.
    pub(crate) fn errors_line(&self) -> Option<String> {
        let errors = self.errors.iter().map(|(what, count)| format!("{count} × {what}"));
        let errors = errors.collect::<Vec<_>>().join(", ");
        (!errors.is_empty()).then(|| format!("{}: {errors}", self.name))
    }

    /// Whether the hit rate rose from the first round to the last: a cache was filling up.
    pub(crate) fn is_filling(&self) -> bool {
        let mut rates = self.rounds.iter().filter_map(|round| round.hit_rate);
        let first = rates.next();
        first.zip(rates.next_back()).is_some_and(|(first, last)| last - first > 0.01)
    }
}

impl RoundFigures {
    fn of(round: &Round) -> Self {
        let (tally, elapsed) = (&round.measured.tally, round.measured.elapsed);
        Self {
            round: round.number,
            requests: tally.requests(),
            seconds: elapsed.as_secs_f64(),
            rps: rate(tally.answered, elapsed),
            latency: Quantiles::of(&tally.latency),
            hit_rate: hit_rate(tally),
            expected_rate: expected_rate(tally),
            failed: tally.failed(),
            late: tally.late,
            ratio: None,
        }
    }
}

impl Quantiles {
    fn of(times: &Times) -> Option<Self> {
        let [p50, p90, p99, p999, max] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|at| times.quantile(at));
        Some(Self { p50: p50?, p90: p90?, p99: p99?, p999: p999?, max: max? })
    }
}

/// How many times better than another a round is: in requests a second, or where that is given, in the
/// median latency.
fn ratio(plan: &Plan, other: &Round, round: &Round) -> Option<f64> {
    let ratio = if plan.rate.is_some() {
        let median = |round: &Round| round.measured.tally.latency.quantile(0.5);
        median(other)? / median(round)?
    } else {
        let rps = |round: &Round| rate(round.measured.tally.answered, round.measured.elapsed);
        rps(round) / rps(other)
    };
    ratio.is_finite().then_some(ratio)
}

fn hit_rate(tally: &Tally) -> Option<f64> {
    share(tally.cached?.hit, tally.inputs)
}

fn expected_rate(tally: &Tally) -> Option<f64> {
    share(tally.inputs.saturating_sub(tally.fresh), tally.inputs)
}

fn rate(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
