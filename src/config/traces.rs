//! Whether requests are traced, and how many.

use super::base_url;
use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;

/// A share of all: a number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl Setting for Share {
    const KIND: &'static str = "share";
    const QUOTED: bool = false;

    fn parse(text: &str) -> Result<Self, String> {
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| format!("expected a number from 0 to 1, got {text:?}"))
    }
}

section! {
    /// Spans of requests, for whoever follows them through several systems. They say what the cache did
    /// and how long it took; never a text or a credential.
    Traces {
        /// Where they are sent: the base URL of a collector that takes OTLP over HTTP, such as
        /// `http://127.0.0.1:4318`. Empty is nowhere, and then `traceparent` and `tracestate` go to the
        /// provider as they came.
        endpoint: String = "",
        /// The share of requests that are traced where their callers have not decided, from 0 to 1. A
        /// caller decides with the flag in its `traceparent`.
        sample: Share = "1.0",
    }
}

impl Traces {
    /// What is wrong with the address, if there is one.
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
