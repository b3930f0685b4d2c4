//! Handles: series that were resolved once, for whoever counts on the way of a request.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use super::gen_ai::GenAiCalls;
use super::labels::{Operation, Outcome};

/// The handles of one tier.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the series of its name; the help text is above")]
pub struct TierMetrics {
    pub hits: IntCounter,
    pub misses: IntCounter,
    pub insertions: IntCounter,
    pub evicted: IntCounter,
    pub purged: IntCounter,
    pub entries: IntGauge,
    pub bytes: IntGauge,
    pub limit_bytes: IntGauge,
    pub average_age: Gauge,
    pub(super) eviction_age: Histogram,
}

impl TierMetrics {
    /// Counts an entry that gave way to others, and its age in seconds.
    #[expect(clippy::cast_precision_loss, reason = "a histogram of seconds")]
    pub fn evicted(&self, age: u64) {
        self.evicted.inc();
        self.eviction_age.observe(age as f64);
    }
}

/// The handles of one operation.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the series of its name; the help text is above")]
pub struct OperationMetrics {
    pub in_flight: IntGauge,
    pub retries: IntCounter,
    pub cancelled: IntCounter,
    pub collapsed_inputs: IntCounter,
    pub saved_by_hit: IntCounter,
    pub saved_by_collapsing: IntCounter,
    pub saved_by_batching: IntCounter,
    pub deduplicated_inputs: IntCounter,
    pub(super) overhead: Histogram,
    pub(super) hit_age: Histogram,
    /// By outcome, from the first one on.
    pub(super) answers: [OnceLock<Answers>; Outcome::ALL.len()],
    pub(super) requests: IntCounterVec,
    pub(super) durations: HistogramVec,
    pub(super) first_bytes: HistogramVec,
    pub(super) label: &'static str,
}

#[derive(Debug, Clone)]
pub(super) struct Answers {
    pub(super) ok: IntCounter,
    pub(super) duration: Histogram,
    pub(super) first_byte: Histogram,
}

impl OperationMetrics {
    /// Counts an answer at its head.
    pub fn answered(&self, outcome: Outcome, status: u16, first_byte: Duration) {
        let answers = self.answers(outcome);
        answers.first_byte.observe(first_byte.as_secs_f64());
        if status == 200 {
            answers.ok.inc();
        } else {
            let code = itoa::Buffer::new().format(status).to_owned();
            self.requests.with_label_values(&[self.label, outcome.label(), &code]).inc();
        }
    }

    /// Notes what larder itself took of an answer's time, and, of one that came from memory, how old it
    /// is, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "a histogram of seconds")]
    pub fn took(&self, own: Duration, age: Option<u64>) {
        self.overhead.observe(own.as_secs_f64());
        if let Some(age) = age {
            self.hit_age.observe(age as f64);
        }
    }

    /// Counts an answer at its end.
    pub fn finished(&self, outcome: Outcome, duration: Duration) {
        self.answers(outcome).duration.observe(duration.as_secs_f64());
    }

    /// The series of an outcome, which are shown from now on.
    pub(super) fn answers(&self, outcome: Outcome) -> &Answers {
        let answers = self.answers.get(outcome as usize).expect("there is one for each outcome");
        answers.get_or_init(|| {
            let labels = [self.label, outcome.label()];
            Answers {
                ok: self.requests.with_label_values(&[self.label, outcome.label(), "200"]),
                duration: self.durations.with_label_values(&labels),
                first_byte: self.first_bytes.with_label_values(&labels),
            }
        })
    }
}

/// The handles of what gives a model's words.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the series of its name; the help text is above")]
pub struct ChatMetrics {
    pub operation: OperationMetrics,
    pub hits: IntCounter,
    pub misses: IntCounter,
    pub streams: IntGauge,
    pub(super) answers: IntCounterVec,
}

impl ChatMetrics {
    /// Counts an answer that might have been kept, by what became of it: a word of a closed list.
    pub fn ended(&self, result: &'static str) {
        self.answers.with_label_values(&[result]).inc();
    }
}

/// The handles of one provider.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the series of its name; the help text is above")]
pub struct UpstreamMetrics {
    pub batch_inputs: Histogram,
    pub batch_linger: Histogram,
    pub closed_lone: IntCounter,
    pub closed_linger: IntCounter,
    pub closed_inputs: IntCounter,
    pub closed_tokens: IntCounter,
    pub closed_bytes: IntCounter,
    pub queued_inputs: IntGauge,
    pub isolated_input: IntCounter,
    pub isolated_limit: IntCounter,
    pub isolated_invalid: IntCounter,
    pub merging_stopped: IntCounter,
    pub active: IntGauge,
    pub open: IntGauge,
    pub limit: IntGauge,
    pub opened: IntCounter,
    pub retries: IntCounter,
    pub throttled: IntCounter,
    pub hedged: IntCounter,
    pub fallbacks: IntCounter,
    pub drift_same: IntCounter,
    pub drifted: IntCounter,
    pub drift_failed: IntCounter,
    pub drift_distance: Histogram,
    pub waiting_interactive: IntGauge,
    pub waiting_bulk: IntGauge,
    pub breaker: IntGauge,
    pub permit_wait: Histogram,
    pub invalid_replies: IntCounter,
    pub(super) writes: IntCounterVec,
    pub(super) durations: HistogramVec,
    pub(super) requests: IntCounterVec,
    pub(super) ratelimit: GaugeVec,
    pub(super) gen_ai: Option<GenAiCalls>,
    pub(super) name: String,
}

impl UpstreamMetrics {
    /// Counts a call by its status, or by how it failed without one.
    pub fn called(&self, operation: Operation, result: Called, duration: Duration) {
        let mut buffer = itoa::Buffer::new();
        let (code, error_type) = match result {
            Called::Answered(status) => (buffer.format(status), error_type(status)),
            Called::Failed(error_type) => ("0", error_type),
        };
        let labels = [self.name.as_str(), operation.label(), code, error_type];
        self.requests.with_label_values(&labels).inc();
        let histogram = self.durations.with_label_values(&[&self.name, operation.label()]);
        histogram.observe(duration.as_secs_f64());
        if let Some(gen_ai) = &self.gen_ai {
            gen_ai.called(operation, error_type, duration);
        }
    }

    /// Counts a write to a store, by whether it is known which namespace it is for.
    pub fn wrote(&self, names_namespace: bool) {
        let reach = if names_namespace { "namespace" } else { "store" };
        self.writes.with_label_values(&[self.name.as_str(), reach]).inc();
    }

    /// Notes what a provider says is left of `requests` or `tokens`, if it says so.
    pub fn left(&self, kind: &'static str, left: Option<f64>) {
        if let Some(left) = left {
            self.ratelimit.with_label_values(&[self.name.as_str(), kind]).set(left);
        }
    }
}

/// One more of something, as long as it lives: a gauge that cannot be forgotten.
#[derive(Debug)]
pub struct Held(IntGauge);

impl Held {
    /// Raises the gauge until it is dropped.
    pub fn one(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub enum Called {
    /// With a status.
    Answered(u16),
    /// Without one, for a reason of a closed list.
    Failed(&'static str),
}

/// Whose fault a status is; empty for none.
fn error_type(status: u16) -> &'static str {
    match status {
        ..400 => "",
        401 | 403 => "caller_credential",
        429 => "provider_throttled",
        400..500 => "caller_request",
        529 => "provider_overloaded",
        500..600 => "provider_failed",
        _ => "_OTHER",
    }
}
