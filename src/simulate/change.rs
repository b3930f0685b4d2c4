//! Changing the faults while the provider runs: the body of `POST /__faults`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::settings::check_share;

/// A change of some of the [`Faults`], as written in JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Change {
    latency_ms: Option<f64>,
    /// By model; null takes a model's own latency away.
    latency_of_ms: BTreeMap<String, Option<f64>>,
    latency_per_item_ms: Option<f64>,
    jitter_ms: Option<f64>,
    max_inputs: Option<usize>,
    max_tokens: Option<u64>,
    max_concurrent: Option<usize>,
    rpm: Option<u32>,
    error_rate: Option<f64>,
    timeout_rate: Option<f64>,
    reset_rate: Option<f64>,
    chunks: Option<usize>,
    chunk_delay_ms: Option<f64>,
}

impl Change {
    /// The faults after the change, or what is wrong with it.
    pub(super) fn apply(&self, now: &Faults) -> Result<Faults, String> {
        let time = |new: Option<f64>, old| new.map_or(Ok(old), milliseconds);
        let share = |new: Option<f64>, old| new.map_or(Ok(old), check_share);
        Ok(Faults {
            latency: time(self.latency_ms, now.latency)?,
            latency_of: self.latency_of(&now.latency_of)?,
            latency_per_item: time(self.latency_per_item_ms, now.latency_per_item)?,
            jitter: time(self.jitter_ms, now.jitter)?,
            max_inputs: self.max_inputs.unwrap_or(now.max_inputs),
            max_tokens: self.max_tokens.unwrap_or(now.max_tokens),
            max_concurrent: self.max_concurrent.unwrap_or(now.max_concurrent),
            rpm: self.rpm.unwrap_or(now.rpm),
            error_rate: share(self.error_rate, now.error_rate)?,
            timeout_rate: share(self.timeout_rate, now.timeout_rate)?,
            reset_rate: share(self.reset_rate, now.reset_rate)?,
            chunks: self.chunks.unwrap_or(now.chunks),
            chunk_delay: time(self.chunk_delay_ms, now.chunk_delay)?,
        })
    }

    /// What each model has of its own after the change, once for each.
    fn latency_of(&self, now: &[(String, Duration)]) -> Result<Vec<(String, Duration)>, String> {
        let mut latencies: BTreeMap<String, Duration> = now.iter().cloned().collect();
        for (model, change) in &self.latency_of_ms {
            match change {
                Some(number) => latencies.insert(model.clone(), milliseconds(*number)?),
                None => latencies.remove(model),
            };
        }
        Ok(latencies.into_iter().collect())
    }
}

fn milliseconds(number: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number / 1e3).map_err(|error| format!("{number} ms: {error}"))
}

impl From<&Faults> for Change {
    fn from(faults: &Faults) -> Self {
        let time = |duration: Duration| Some(duration.as_secs_f64() * 1e3);
        Self {
            latency_ms: time(faults.latency),
            latency_of_ms: faults
                .latency_of
                .iter()
                .map(|(model, latency)| (model.clone(), time(*latency)))
                .collect(),
            latency_per_item_ms: time(faults.latency_per_item),
            jitter_ms: time(faults.jitter),
            max_inputs: Some(faults.max_inputs),
            max_tokens: Some(faults.max_tokens),
            max_concurrent: Some(faults.max_concurrent),
            rpm: Some(faults.rpm),
            error_rate: Some(faults.error_rate),
            timeout_rate: Some(faults.timeout_rate),
            reset_rate: Some(faults.reset_rate),
            chunks: Some(faults.chunks),
            chunk_delay_ms: time(faults.chunk_delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> Result<Faults, String> {
        let change: Change = serde_json::from_str(json).map_err(|error| error.to_string())?;
        change.apply(&Faults::default())
    }

    #[test]
    fn what_is_not_named_stays() {
        let expected =
            Faults { latency: Duration::from_micros(1500), rpm: 60, ..Faults::default() };
        assert_eq!(change(r#"{"latency_ms": 1.5, "rpm": 60}"#), Ok(expected));
        assert_eq!(change("{}"), Ok(Faults::default()));
    }

    #[test]
    fn a_model_s_latency_is_set_changed_and_taken_away_by_itself() {
        let of = |model: &str, millis| (model.to_owned(), Duration::from_millis(millis));
        let now = Faults { latency_of: vec![of("a", 1), of("b", 2)], ..Faults::default() };
        let json = r#"{"latency_of_ms": {"a": null, "c": 3, "b": 4}}"#;
        let change: Change = serde_json::from_str(json).unwrap();
        assert_eq!(change.apply(&now).unwrap().latency_of, [of("b", 4), of("c", 3)]);
        assert_eq!(Change::default().apply(&now), Ok(now));
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_refused() {
        let bad = [
            r#"{"latency": 1}"#,
            r#"{"latency_ms": -1}"#,
            r#"{"latency_of_ms": {"m": -1}}"#,
            r#"{"latency_of_ms": ["m"]}"#,
            r#"{"error_rate": 1.5}"#,
            r#"{"max_inputs": 1.5}"#,
            "3",
        ];
        for json in bad {
            assert!(change(json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_is_shown_can_be_sent_back() {
        let latency_of = vec![("m".to_owned(), Duration::from_secs(1))];
        let chunk_delay = Duration::from_micros(250);
        let faults = Faults { latency_of, chunk_delay, ..Faults::default() };
        let shown = serde_json::to_string(&Change::from(&faults)).unwrap();
        assert_eq!(change(&shown), Ok(faults));
    }
}
