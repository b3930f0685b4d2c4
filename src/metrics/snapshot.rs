//! Sums over series, for who looks at larder without a Prometheus.

use std::collections::{BTreeMap, BTreeSet};

use prometheus::core::Collector;
use prometheus::proto::{Bucket, Metric, MetricFamily};

use super::{Layer, Metrics, REQUEST_SECONDS};

/// Everything up to a moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Inputs that were in the cache.
    pub hits: u64,
    /// Inputs of answered requests.
    pub lookups: u64,
    /// Answers.
    pub requests: u64,
    /// Those with a status from 400.
    pub failures: u64,
    /// Calls of providers.
    pub calls: u64,
    /// Calls that did not happen.
    pub calls_saved: u64,
    /// Calls for embeddings.
    pub batches: u64,
    /// Inputs in them.
    pub inputs: u64,
    /// How long answers took.
    pub latency: Latency,
}

/// How many took how long: a number for each bound of [`Latency::BOUNDS`], of what took longer than the
/// bound before, and one for the rest.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    /// Answers from the cache.
    pub hit: Vec<u64>,
    /// Answers that a provider was asked for.
    pub miss: Vec<u64>,
    /// Calls of providers.
    pub upstream: Vec<u64>,
}

impl Latency {
    /// In seconds.
    pub const BOUNDS: &'static [f64] = REQUEST_SECONDS;
}

/// What is in a tier, and what became of it.
#[derive(Debug, Clone, Default)]
pub struct TierSums {
    /// Its name.
    pub tier: String,
    /// Entries in it.
    pub entries: i64,
    /// Bytes that they hold.
    pub bytes: i64,
    /// Bytes that they may hold.
    pub limit_bytes: i64,
    /// Look-ups that found something.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Entries put in.
    pub insertions: u64,
    /// Entries that gave way to others.
    pub evictions: u64,
    /// The mean age of the entries, in seconds.
    pub average_age: f64,
    /// 0 closed, 1 half open, 2 open.
    pub breaker: i64,
}

/// Calls of one provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calls {
    /// All.
    pub made: u64,
    /// Those that failed, by the provider's fault or the caller's.
    pub failed: u64,
}

impl Metrics {
    /// The sums now.
    pub fn snapshot(&self) -> Snapshot {
        let mut now = Snapshot::default();
        for metric in families(&self.accounts.inputs) {
            now.lookups += count(&metric);
            if label(&metric, "result") == "hit" {
                now.hits += count(&metric);
            }
        }
        for metric in families(&self.requests) {
            now.requests += count(&metric);
            if label(&metric, "code").starts_with(['4', '5']) {
                now.failures += count(&metric);
            }
        }
        now.calls = families(&self.upstream_requests).iter().map(count).sum();
        now.calls_saved = families(&self.calls_saved).iter().map(count).sum();
        for metric in families(&self.batch_inputs) {
            now.batches += metric.get_histogram().get_sample_count();
            now.inputs += whole(metric.get_histogram().get_sample_sum());
        }
        let durations = families(&self.request_duration);
        let of = |verdicts: &[&str]| {
            buckets(durations.iter().filter(|one| verdicts.contains(&label(one, "verdict"))))
        };
        now.latency = Latency {
            hit: of(&["hit"]),
            miss: of(&["miss", "partial", "collapsed"]),
            upstream: buckets(families(&self.upstream_duration).iter()),
        };
        now
    }

    /// The providers that somebody has an answer of.
    pub(super) fn answered_for(&self) -> BTreeSet<String> {
        let inputs = families(&self.accounts.inputs);
        let counted = inputs.iter().filter(|metric| count(metric) > 0);
        counted.map(|metric| label(metric, "upstream").to_owned()).collect()
    }

    /// What is in each tier, nearest first.
    pub fn tiers(&self) -> Vec<TierSums> {
        let layers = [Layer::Memory, Layer::Disk, Layer::Redis].map(Layer::label);
        let there = families(&self.entries);
        let there = |tier: &&str| there.iter().any(|one| label(one, "tier") == *tier);
        layers.into_iter().filter(there).map(|tier| self.tier_sums(tier)).collect()
    }

    fn tier_sums(&self, tier: &str) -> TierSums {
        let lookups = families(&self.lookups);
        let looked_up = |result: &str| {
            let of_tier = lookups.iter().filter(|one| label(one, "tier") == tier);
            of_tier.filter(|one| label(one, "result") == result).map(count).sum()
        };
        TierSums {
            tier: tier.to_owned(),
            entries: self.entries.with_label_values(&[tier]).get(),
            bytes: self.bytes.with_label_values(&[tier]).get(),
            limit_bytes: self.limit_bytes.with_label_values(&[tier]).get(),
            hits: looked_up("hit"),
            misses: looked_up("miss"),
            insertions: self.insertions.with_label_values(&[tier]).get(),
            evictions: self.evictions.with_label_values(&[tier, "size"]).get(),
            average_age: self.average_age.with_label_values(&[tier]).get(),
            breaker: self.breaker.with_label_values(&[tier]).get(),
        }
    }

    /// The calls of each provider that was ever called.
    pub fn calls(&self) -> BTreeMap<String, Calls> {
        let mut by_provider: BTreeMap<String, Calls> = BTreeMap::new();
        for metric in families(&self.upstream_requests) {
            let calls = by_provider.entry(label(&metric, "upstream").to_owned()).or_default();
            calls.made += count(&metric);
            if !label(&metric, "error_type").is_empty() {
                calls.failed += count(&metric);
            }
        }
        by_provider
    }
}

fn families(family: &impl Collector) -> Vec<Metric> {
    family.collect().into_iter().flat_map(|mut family: MetricFamily| family.take_metric()).collect()
}

pub(super) fn label<'m>(metric: &'m Metric, name: &str) -> &'m str {
    let pair = metric.get_label().iter().find(|pair| pair.name() == name);
    pair.map_or("", |pair| pair.value())
}

fn count(metric: &Metric) -> u64 {
    whole(metric.get_counter().get_value())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn whole(count: f64) -> u64 {
    count as u64
}

/// Histograms of the same bounds added up, no longer cumulative.
fn buckets<'m, I: Iterator<Item = &'m Metric>>(metrics: I) -> Vec<u64> {
    let mut sums = vec![0; REQUEST_SECONDS.len() + 1];
    for metric in metrics {
        let histogram = metric.get_histogram();
        let mut before = 0;
        let upto = histogram.get_bucket().iter().map(Bucket::cumulative_count);
        let upto = upto.chain([histogram.get_sample_count()]);
        for (sum, upto) in sums.iter_mut().zip(upto) {
            *sum += upto.saturating_sub(before);
            before = upto;
        }
    }
    sums
}
