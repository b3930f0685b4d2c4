//! The rates between two figures of `/api/stats`, for `larder stats --watch`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::super::columns::percent;

#[derive(Debug, Deserialize)]
struct Figures {
    #[serde(default)]
    responses: u64,
    totals: Totals,
}

#[derive(Debug, Deserialize)]
struct Totals {
    inputs: BTreeMap<String, u64>,
    calls: Calls,
    tokens: Tokens,
}

#[derive(Debug, Deserialize)]
struct Calls {
    made: u64,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    billed: BTreeMap<String, u64>,
}

/// A line with the rates from one response of `/api/stats` to the next; none if the sidecar restarted.
pub(super) fn between(before: &[u8], after: &[u8], passed: Duration) -> Option<String> {
    let figures = |body| serde_json::from_slice::<Figures>(body).ok();
    let (before, after) = (figures(before)?, figures(after)?);
    let rate = |of: fn(&Figures) -> u64| {
        let grown = of(&after).checked_sub(of(&before))?;
        Some(per_second(grown, passed))
    };
    let inputs = |of: &Figures| of.totals.inputs.values().sum::<u64>();
    let hits = |of: &Figures| of.totals.inputs.get("hit").copied().unwrap_or(0);
    let hit_rate = percent(
        hits(&after).checked_sub(hits(&before))?,
        inputs(&after).checked_sub(inputs(&before))?,
        1,
    );
    Some(format!(
        "now       {} requests/s, hit rate {hit_rate}, {} calls/s, {} tokens/s billed",
        rate(|figures| figures.responses)?,
        rate(|figures| figures.totals.calls.made)?,
        rate(|figures| figures.totals.tokens.billed.values().sum())?,
    ))
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(count: u64, passed: Duration) -> String {
    let rate = count as f64 / passed.as_secs_f64().max(1e-3);
    if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(responses: u64, hits: u64, calls: u64) -> Vec<u8> {
        format!(
            r#"{{"responses":{responses},"totals":{{"inputs":{{"hit":{hits},"miss":{calls}}},
            "calls":{{"made":{calls}}},"tokens":{{"billed":{{"input":{calls},"output":0}}}}}}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn rates_are_those_of_the_interval() {
        let passed = Duration::from_secs(2);
        let line = between(&body(10, 5, 5), &body(50, 35, 15), passed).unwrap();
        let expected = "now       20 requests/s, hit rate 75.0 %, 5.0 calls/s, 5.0 tokens/s billed";
        assert_eq!(line, expected);
        let none = between(&body(10, 5, 5), &body(10, 5, 5), passed).unwrap();
        assert!(none.contains("0.0 requests/s, hit rate -"), "{none}");
        assert_eq!(between(&body(10, 5, 5), &body(1, 0, 1), passed), None, "a restart");
    }
}
