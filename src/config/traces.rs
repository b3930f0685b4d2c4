//! Traces.

use serde_json::{Value, json};

use super::base_url;
use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;

/// A share: a number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl Setting for Share {
    const KIND: &'static str = "share";
    const QUOTED: bool = false;

    fn schema() -> Value {
        json!({ "type": "number", "minimum": 0, "maximum": 1 })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| format!("expected a number from 0 to 1, got {text:?}"))
    }
}

section! {
    /// Traces of requests (`OpenTelemetry`). Spans have the cache result and times, never texts or credentials.
    Traces {
        /// Base URL of an OTLP collector over HTTP, such as `http://127.0.0.1:4318`. Empty: no traces;
        /// `traceparent` and `tracestate` are then forwarded unchanged.
        endpoint: String = "",
        /// Share of requests that are traced, from 0 to 1. The flag in a client's `traceparent` overrides
        /// it.
        sample: Share = "1.0",
    }
}

impl Traces {
    /// An error says what is wrong with the address.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.endpoint.is_empty() { Ok(()) } else { base_url::check(&self.endpoint) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        for (text, share) in [("0", 0.0), ("1", 1.0), ("0.25", 0.25), ("1e-3", 0.001)] {
            assert_eq!(Share::parse(text), Ok(Share(share)));
        }
        for wrong in ["", "-0.1", "1.01", "25%", "NaN", "inf"] {
            assert!(Share::parse(wrong).is_err(), "{wrong}");
        }
    }
}
