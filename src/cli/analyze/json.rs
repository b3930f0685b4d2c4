//! The report for machines.

use serde_json::{Map, Value, json};

use super::Report;
use super::tally::{Count, Kind, Part};

/// The report as one JSON object.
pub(super) fn of(report: &Report) -> Value {
    let counted = &report.counted;
    let place = |(file, line): &(String, u64)| json!({ "file": file, "line": line });
    let models = report.tally.counts.iter().map(|(subject, count)| {
        let names = [
            ("kind", word(subject.kind)),
            ("provider", subject.provider.as_str()),
            ("model", subject.model.as_str()),
        ];
        let names = names.map(|(name, text)| (name.to_owned(), text.into()));
        names.into_iter().chain(numbers(report, count)).collect::<Map<_, _>>()
    });
    let total = |kind| Value::Object(numbers(report, &report.tally.total(kind)));
    let kinds = [Kind::Embeddings, Kind::Words];
    let totals = kinds.map(|kind| (word(kind).to_owned(), total(kind)));
    json!({
        "lines": counted.lines,
        "requests": counted.requests,
        "passed_on": counted.passed_on,
        "failed": counted.failed,
        "withheld": counted.withheld,
        "cached_elsewhere": counted.cached,
        "unknown": counted.unknown,
        "first_unknown": counted.places.iter().map(place).collect::<Vec<_>>(),
        "untold_inputs": report.tally.untold,
        "lower_bound": report.tally.untold > 0,
        "policy": "lru",
        "totals": totals.into_iter().collect::<Map<_, _>>(),
        "models": models.collect::<Vec<_>>(),
    })
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Embeddings => "embeddings",
        Kind::Words => "chat",
    }
}

fn numbers(report: &Report, count: &Count) -> Map<String, Value> {
    let by_size = report.sizes.iter().zip(&count.held).zip(count.saved());
    let memory = by_size.map(|((size, held), share)| {
        json!({ "bytes": size.0, "saved": count.within + held, "saved_share": share })
    });
    let duplicates = count.within + count.across;
    let numbers = [
        ("requests", count.requests.into()),
        ("inputs", count.inputs.into()),
        ("distinct", count.distinct().into()),
        ("duplicates_within_a_request", count.within.into()),
        ("duplicates_across_requests", count.across.into()),
        ("duplicate_share", count.share(duplicates).into()),
        ("memory", memory.collect()),
        ("tokens", part(count.tokens.as_ref())),
        ("cost", part(count.cost.as_ref())),
    ];
    numbers.into_iter().map(|(name, number)| (name.to_owned(), number)).collect()
}

fn part<T: serde::Serialize>(part: Option<&Part<T>>) -> Value {
    part.map_or(Value::Null, |part| json!({ "all": part.all, "duplicate": part.duplicate }))
}
