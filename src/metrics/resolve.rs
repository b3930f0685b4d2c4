//! From families to handles.

use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec};

use super::Metrics;
use super::handles::{ChatMetrics, OperationMetrics, TierMetrics, UpstreamMetrics};
use super::labels::{Layer, Operation, Outcome};
use super::lower::{LowerMetrics, REDIS_ERRORS};

/// What there is without any store; the series of reads are shown from the first one on.
const WITHOUT_STORES: [Operation; 3] = [Operation::Embed, Operation::Chat, Operation::Relay];

impl Metrics {
    /// Creates the series that may well be zero, so that zero does not read as "no data".
    pub(super) fn pre_create(&self) {
        for operation in WITHOUT_STORES.map(Operation::label) {
            for outcome in Outcome::ALL.map(Outcome::label) {
                self.requests.with_label_values(&[operation, outcome, "200"]);
                self.requests.with_label_values(&[operation, outcome, "500"]);
            }
            self.client_retries.with_label_values(&[operation]);
            self.client_cancelled.with_label_values(&[operation]);
            self.deduplicated.with_label_values(&[operation]);
        }
        self.chat_answers.with_label_values(&["stored"]);
    }

    /// The handles of one tier.
    pub fn tier(&self, tier: &str) -> TierMetrics {
        TierMetrics {
            hits: self.lookups.with_label_values(&["embed", tier, "hit"]),
            misses: self.lookups.with_label_values(&["embed", tier, "miss"]),
            insertions: self.insertions.with_label_values(&[tier]),
            evicted: self.evictions.with_label_values(&[tier, "size"]),
            purged: self.evictions.with_label_values(&[tier, "purged"]),
            entries: self.entries.with_label_values(&[tier]),
            bytes: self.bytes.with_label_values(&[tier]),
            limit_bytes: self.limit_bytes.with_label_values(&[tier]),
            average_age: self.average_age.with_label_values(&[tier]),
            eviction_age: self.eviction_age.with_label_values(&[tier]),
        }
    }

    /// The handles of a tier below memory.
    pub fn lower(&self, layer: Layer) -> LowerMetrics {
        let tier = layer.label();
        let lookups = |operation: Operation| {
            let by = |result| self.lookups.with_label_values(&[operation.label(), tier, result]);
            (by("hit"), by("miss"))
        };
        let redis = REDIS_ERRORS.iter().filter(|_| layer == Layer::Redis);
        for kind in ["timeout", "io", "corrupt", "refused"].iter().chain(redis) {
            self.tier_errors.with_label_values(&[tier, kind]);
        }
        for reason in ["queue_full", "unavailable", "too_large", "failed"] {
            self.rejected.with_label_values(&[tier, reason]);
        }
        LowerMetrics {
            tier: self.tier(tier),
            queued: self.tier_queued.with_label_values(&[tier]),
            breaker: self.breaker.with_label_values(&[tier]),
            gets: self.tier_duration.with_label_values(&[tier, "get"]),
            puts: self.tier_duration.with_label_values(&[tier, "put"]),
            lookups: Operation::ALL.map(lookups),
            hit_age: self.hit_age.with_label_values(&[tier]),
            rejected: self.rejected.clone(),
            errors: self.tier_errors.clone(),
            layer,
        }
    }

    /// The handles of what replicas share their misses with: taken, waited, lost.
    pub fn leases(&self) -> [IntCounter; 3] {
        ["taken", "waited", "lost"].map(|result| self.leases.with_label_values(&[result]))
    }

    /// The handles of what gives a model's words, with those of its look-ups in a tier.
    pub fn chat(&self, tier: &str) -> ChatMetrics {
        self.answering(Operation::Chat, tier, &self.chat_answers)
    }

    /// The same for what reads from stores.
    pub fn reads(&self, tier: &str) -> ChatMetrics {
        self.answering(Operation::Read, tier, &self.store_reads)
    }

    fn answering(&self, operation: Operation, tier: &str, answers: &IntCounterVec) -> ChatMetrics {
        let lookups = |result| self.lookups.with_label_values(&[operation.label(), tier, result]);
        ChatMetrics {
            operation: self.operation(operation),
            hits: lookups("hit"),
            misses: lookups("miss"),
            streams: self.chat_streams.clone(),
            answers: answers.clone(),
        }
    }

    /// How often a rule was carried out.
    pub fn rule(&self, name: &str) -> IntCounter {
        self.rules.with_label_values(&[name])
    }

    /// Notes the result of a reload, and its time in seconds since 1970.
    pub fn reloaded(&self, successful: bool, now: f64) {
        self.reload_successful.set(i64::from(successful));
        if successful {
            self.reload_timestamp.set(now);
        }
    }

    /// The handles of one operation.
    pub fn operation(&self, operation: Operation) -> OperationMetrics {
        let label = operation.label();
        let by = |reason| self.calls_saved.with_label_values(&[label, reason]);
        let metrics = OperationMetrics {
            in_flight: self.in_flight.with_label_values(&[label]),
            retries: self.client_retries.with_label_values(&[label]),
            cancelled: self.client_cancelled.with_label_values(&[label]),
            collapsed_inputs: self.collapsed.with_label_values(&[label]),
            saved_by_hit: by("hit"),
            saved_by_collapsing: by("collapsed"),
            saved_by_batching: by("batched"),
            deduplicated_inputs: self.deduplicated.with_label_values(&[label]),
            overhead: self.overhead.with_label_values(&[label]),
            hit_age: self.hit_age.with_label_values(&["memory"]),
            answers: Outcome::ALL.map(|_| OnceLock::new()),
            requests: self.requests.clone(),
            durations: self.request_duration.clone(),
            first_bytes: self.first_byte.clone(),
            label,
        };
        if WITHOUT_STORES.contains(&operation) {
            for outcome in Outcome::ALL {
                metrics.answers(outcome);
            }
        }
        metrics
    }

    /// The handles of one provider.
    pub fn upstream(&self, upstream: &str) -> UpstreamMetrics {
        let closed = |by| self.batches.with_label_values(&[upstream, by]);
        let isolated = |reason| self.isolations.with_label_values(&[upstream, reason]);
        let waiting = |priority| self.waiting.with_label_values(&[upstream, priority]);
        for operation in WITHOUT_STORES {
            self.upstream_duration.with_label_values(&[upstream, operation.label()]);
        }
        let connections = |state| self.upstream_connections.with_label_values(&[upstream, state]);
        UpstreamMetrics {
            batch_inputs: self.batch_inputs.with_label_values(&[upstream]),
            batch_linger: self.batch_linger.with_label_values(&[upstream]),
            closed_lone: closed("lone"),
            closed_linger: closed("linger"),
            closed_inputs: closed("inputs"),
            closed_tokens: closed("tokens"),
            closed_bytes: closed("bytes"),
            queued_inputs: self.batch_queued.with_label_values(&[upstream]),
            isolated_input: isolated("input"),
            isolated_limit: isolated("limit"),
            isolated_invalid: isolated("invalid"),
            merging_stopped: self.merging_stopped.with_label_values(&[upstream]),
            active: connections("active"),
            open: connections("open"),
            limit: self.upstream_limit.with_label_values(&[upstream]),
            opened: self.upstream_opened.with_label_values(&[upstream]),
            retries: self.upstream_retries.with_label_values(&[upstream, "unreachable"]),
            throttled: self.upstream_retries.with_label_values(&[upstream, "throttled"]),
            hedged: self.upstream_retries.with_label_values(&[upstream, "hedged"]),
            drift_same: self.drift_checks.with_label_values(&[upstream, "same"]),
            drifted: self.drift_checks.with_label_values(&[upstream, "drifted"]),
            drift_failed: self.drift_checks.with_label_values(&[upstream, "failed"]),
            drift_distance: self.drift_distance.with_label_values(&[upstream]),
            fallbacks: self.fallbacks.with_label_values(&[upstream]),
            waiting_interactive: waiting("interactive"),
            waiting_bulk: waiting("bulk"),
            breaker: self.upstream_breaker.with_label_values(&[upstream]),
            permit_wait: self.permit_wait.with_label_values(&[upstream]),
            invalid_replies: self.invalid_replies.with_label_values(&[upstream]),
            writes: self.store_writes.clone(),
            durations: self.upstream_duration.clone(),
            requests: self.upstream_requests.clone(),
            ratelimit: self.ratelimit.clone(),
            gen_ai: self.gen_ai.as_ref().map(|families| families.calls(upstream)),
            name: upstream.to_owned(),
        }
    }
}
