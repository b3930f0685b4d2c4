//! What a scrape gets.

use prometheus::{Encoder, Result, TextEncoder};

use super::Metrics;
use super::snapshot::label;

impl Metrics {
    /// Sets how much is held of what may be held of `requests` or `answers`, in bytes.
    pub fn held(&self, what: &'static str, held: usize, limit: usize) {
        let bytes = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.held.with_label_values(&[what]).set(bytes(held));
        self.held_limit.with_label_values(&[what]).set(bytes(limit));
    }

    /// All series in Prometheus' text format, but those of providers that are not asked: most of those
    /// that are built in never are. `default` is shown in any case.
    pub fn render(&self, default: &str) -> Result<Vec<u8>> {
        let (mut out, mut families) = (Vec::new(), self.registry.gather());
        let (called, answered) = (self.calls(), self.answered_for());
        for family in &mut families {
            let mut metrics = family.take_metric();
            metrics.retain(|metric| {
                let upstream = label(metric, "upstream");
                let is_asked = called.contains_key(upstream) || answered.contains(upstream);
                upstream.is_empty() || upstream == default || is_asked
            });
            family.set_metric(metrics);
        }
        families.retain(|family| !family.get_metric().is_empty());
        TextEncoder::new().encode(&families, &mut out)?;
        Ok(out)
    }
}
