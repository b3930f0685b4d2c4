//! Rules about the hit rate, and why it is low.

use std::collections::BTreeMap;

use super::super::columns::percent;
use super::rules::Finding;
use super::snapshot::{Inputs, Snapshot};

/// A hit rate is judged from this number of inputs on.
const ENOUGH: u64 = 100;

/// A hit rate below this, in percent, is low.
const LOW: u64 = 20;

/// Requests from which on the share of bypasses is judged.
const ENOUGH_REQUESTS: u64 = 20;

/// Inputs that hit, and all of them.
fn inputs(snapshot: &Snapshot) -> (u64, u64) {
    let Inputs { hit, collapsed, miss } = snapshot.stats.totals.inputs;
    (hit, hit + collapsed + miss)
}

fn is_low((hit, all): (u64, u64)) -> bool {
    all >= ENOUGH && hit.saturating_mul(100) < all.saturating_mul(LOW)
}

/// A low hit rate with evictions: the memory tier is too small.
pub(super) fn evicted(snapshot: &Snapshot) -> Vec<Finding> {
    let rate = inputs(snapshot);
    let memory = snapshot.stats.tiers.iter().find(|tier| tier.name == "memory");
    let Some(memory) = memory.filter(|memory| is_thrashing(memory.evictions, memory.insertions))
    else {
        return Vec::new();
    };
    if !is_low(rate) {
        return Vec::new();
    }
    let text = format!(
        "The hit rate is low ({}) and the memory tier is too small: it evicted {} of {} entries for want \
         of space.",
        percent(rate.0, rate.1, 0),
        memory.evictions,
        memory.insertions,
    );
    let advice = format!(
        "Raise cache.memory (now {} bytes in use of {}), or add a disk tier with --cache-dir. \
         `larder analyze` estimates the size.",
        memory.bytes, memory.limit_bytes
    );
    vec![Finding::wrong("evictions", text, advice)]
}

/// One in ten entries is evicted again.
fn is_thrashing(evictions: u64, insertions: u64) -> bool {
    evictions > 0 && evictions.saturating_mul(10) >= insertions
}

/// Requests that could use the cache, but bypass it.
pub(super) fn bypassed(snapshot: &Snapshot) -> Vec<Finding> {
    let count = |labels: &[(&str, &str)]| {
        let of = |operation: &str| {
            let labels: Vec<_> = labels.iter().copied().chain([("operation", operation)]).collect();
            snapshot.series.count("larder_requests_total", &labels)
        };
        of("embed") + of("chat")
    };
    let (bypassed, all) = (count(&[("verdict", "bypass"), ("code", "200")]), count(&[]));
    let reasons = reasons(snapshot);
    if all < ENOUGH_REQUESTS || bypassed * 2 < all || reasons.is_empty() {
        return Vec::new();
    }
    let text = format!("{bypassed} of {all} embedding and chat requests bypass the cache.");
    let advice = format!("Most frequent reasons: {}.", reasons.join("; "));
    vec![Finding::wrong("bypass", text, advice)]
}

/// The most frequent reasons of recent bypasses.
fn reasons(snapshot: &Snapshot) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let bypasses = snapshot.explanations.iter().filter(|one| one.outcome == "bypass");
    for reason in bypasses.map(|one| one.why.as_str()).filter(|why| !why.is_empty()) {
        *counts.entry(reason).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().take(2).map(|(reason, count)| format!("{count} × {reason}")).collect()
}

/// The hit rate, and why it is low where no other rule has said it.
pub(super) fn hit_rate(snapshot: &Snapshot) -> Vec<Finding> {
    let rate = inputs(snapshot);
    let shown = format!("hit rate: {} of {} inputs", percent(rate.0, rate.1, 0), rate.1);
    if rate.1 == 0 {
        return Vec::new();
    }
    if !is_low(rate) {
        return vec![Finding::fine("hit_rate", shown)];
    }
    if !evicted(snapshot).is_empty() {
        return Vec::new();
    }
    let text = format!("The hit rate is low: {} of {} inputs.", percent(rate.0, rate.1, 0), rate.1);
    vec![Finding::wrong("hit_rate", text, reason(snapshot))]
}

/// The reason of most recent misses.
fn reason(snapshot: &Snapshot) -> String {
    let misses = snapshot.explanations.iter();
    let misses: Vec<_> = misses.filter(|one| matches!(&*one.outcome, "miss" | "partial")).collect();
    let new = misses.iter().filter(|one| one.nearest.is_none()).count();
    if new * 2 >= misses.len() {
        return "Most inputs are new: no similar request came before. The application embeds each text \
            once, or the sidecar has just started. `larder warm` fills the cache beforehand, and \
            --cache-dir keeps it across restarts."
            .to_owned();
    }
    let mut fields: BTreeMap<&str, usize> = BTreeMap::new();
    let nearest = misses.iter().filter_map(|one| one.nearest.as_ref());
    for difference in nearest.flat_map(|nearest| &nearest.differs) {
        *fields.entry(&difference.field).or_default() += 1;
    }
    match fields.into_iter().max_by_key(|(_, count)| *count) {
        Some((field, count)) => format!(
            "{count} recent misses differ from an earlier request in {field}. Send the same value, or \
             see /api/explain: each difference makes a key of its own."
        ),
        None => {
            "Similar requests came before, but their entries have expired, were evicted or purged. \
            See cache.ttl and cache.memory."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::{healthy, wrong};
    use super::super::series::Series;
    use super::super::snapshot::{Difference, Explanation, Nearest};
    use super::*;

    fn low() -> Snapshot {
        let mut snapshot = healthy();
        snapshot.stats.totals.inputs = Inputs { hit: 19, collapsed: 0, miss: 81 };
        snapshot
    }

    fn explanation(outcome: &str, why: &str, differs: Option<&str>) -> Explanation {
        let nearest =
            differs.map(|field| Nearest { differs: vec![Difference { field: field.to_owned() }] });
        Explanation { outcome: outcome.to_owned(), why: why.to_owned(), nearest }
    }

    #[test]
    fn few_inputs_or_enough_hits_are_no_problem() {
        let mut snapshot = low();
        snapshot.stats.totals.inputs.hit = 30;
        assert_eq!(wrong(&snapshot), [""; 0]);
        snapshot.stats.totals.inputs = Inputs { hit: 0, collapsed: 0, miss: 99 };
        assert_eq!(wrong(&snapshot), [""; 0]);
    }

    #[test]
    fn a_memory_that_is_too_small_is_the_reason_alone() {
        let mut snapshot = low();
        (snapshot.stats.tiers[0].evictions, snapshot.stats.tiers[0].insertions) = (50, 100);
        assert_eq!(wrong(&snapshot), ["evictions"]);
        assert!(evicted(&snapshot)[0].advice.as_ref().unwrap().contains("cache.memory"));
    }

    #[test]
    fn new_inputs_are_told_from_requests_that_differ() {
        let mut snapshot = low();
        snapshot.explanations = vec![explanation("miss", "", None)];
        assert!(reason(&snapshot).starts_with("Most inputs are new"));
        snapshot.explanations = vec![explanation("miss", "", Some("body.dimensions")); 3];
        assert!(reason(&snapshot).starts_with("3 recent misses differ"), "{}", reason(&snapshot));
        assert_eq!(wrong(&snapshot), ["hit_rate"]);
    }

    #[test]
    fn bypasses_are_named_with_their_reasons() {
        let mut snapshot = healthy();
        let series =
            "larder_requests_total{code=\"200\",operation=\"chat\",verdict=\"bypass\"} 30\n";
        snapshot.series = Series::read(series);
        snapshot.explanations = vec![explanation("bypass", "temperature: it is not 0", None)];
        assert_eq!(wrong(&snapshot), ["bypass"]);
        let advice = bypassed(&snapshot).remove(0).advice.unwrap();
        assert!(advice.contains("1 × temperature"), "{advice}");
    }
}
