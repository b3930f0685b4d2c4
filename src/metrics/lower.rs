//! The handles of a tier below memory.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use super::handles::TierMetrics;
use super::labels::{Layer, Operation};

/// The kinds of errors that only the tier of a server has.
pub const REDIS_ERRORS: [&str; 8] =
    ["auth", "cluster", "connection_refused", "dns", "loading", "oom", "readonly", "tls"];

/// The handles of a tier below memory.
#[derive(Debug, Clone)]
pub struct LowerMetrics {
    /// Which tier it is.
    pub layer: Layer,
    /// What every tier has.
    pub tier: TierMetrics,
    /// Bytes that wait to be written.
    pub queued: IntGauge,
    /// 0 closed, 1 half open, 2 open.
    pub breaker: IntGauge,
    /// How long look-ups take, of all keys of a request.
    pub gets: Histogram,
    /// How long writes take, of all entries of a round.
    pub puts: Histogram,
    pub(super) lookups: [(IntCounter, IntCounter); Operation::ALL.len()],
    pub(super) hit_age: Histogram,
    pub(super) rejected: IntCounterVec,
    pub(super) errors: IntCounterVec,
}

impl LowerMetrics {
    /// Counts a look-up of so many keys, of which so many were there.
    pub fn looked_up(&self, operation: Operation, hits: usize, keys: usize) {
        if let Some((hit, miss)) = self.lookups.get(operation as usize) {
            hit.inc_by(hits as u64);
            miss.inc_by((keys - hits) as u64);
        }
    }

    /// Observes the age of an entry that was used.
    #[expect(clippy::cast_precision_loss, reason = "a histogram of seconds")]
    pub fn used(&self, age: u64) {
        self.hit_age.observe(age as f64);
    }

    /// Counts an entry that is not written, for a reason of a closed list.
    pub fn rejected(&self, reason: &'static str) {
        self.rejected.with_label_values(&[self.layer.label(), reason]).inc();
    }

    /// Counts a failure of a closed list.
    pub fn failed(&self, kind: &'static str) {
        self.errors.with_label_values(&[self.layer.label(), kind]).inc();
    }

    /// Observes a look-up's time.
    pub fn got(&self, took: Duration) {
        self.gets.observe(took.as_secs_f64());
    }
}
