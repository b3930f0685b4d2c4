//! Traces.

use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::base_url;
use super::percent::decoded;
use super::read::{Key, Reader, Section, Table, section};
use super::setting::list_of;
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

/// The encoding of messages to a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceProtocol {
    /// OTLP in Protocol Buffers.
    Protobuf,
    /// OTLP in JSON.
    Json,
}

impl Setting for TraceProtocol {
    const KIND: &'static str = "one of `http/protobuf`, `http/json`";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "http/protobuf" => Ok(Self::Protobuf),
            "http/json" => Ok(Self::Json),
            "grpc" => Err(
                "OTLP over gRPC is not supported: use \"http/protobuf\", and the collector's HTTP \
                           port in traces.endpoint, usually 4318"
                    .to_owned(),
            ),
            _ => Err(format!("expected \"http/protobuf\" or \"http/json\", got {text:?}")),
        }
    }

    fn schema() -> Value {
        json!({ "enum": ["http/protobuf", "http/json"] })
    }
}

section! {
    /// Traces of requests (`OpenTelemetry`). Spans have the cache result and times, never texts or credentials.
    /// A key that is not set here has the value of its `OTEL_*` variable, if there is one.
    Traces {
        /// Base URL of an OTLP collector over HTTP, such as `http://127.0.0.1:4318`. Empty: no traces;
        /// `traceparent` and `tracestate` are then forwarded unchanged. OTLP over gRPC is not supported.
        endpoint: String = "",
        /// Path below `endpoint`.
        path: String = "/v1/traces",
        /// Headers for the collector, such as a key: `NAME=VALUE`. Commas and percent signs in a value
        /// are percent-encoded. Prefer the variable.
        headers: SecretHeaders = "",
        /// Encoding: `http/protobuf` or `http/json`.
        protocol: TraceProtocol = "http/protobuf",
        /// Time for one message to the collector. Spans of a message that takes longer are dropped.
        timeout: Duration = "5s",
        /// The resource attribute `service.name`.
        service_name: String = "larder",
        /// Further resource attributes: `NAME=VALUE`, percent-encoded.
        attributes: Attributes = "",
        /// Share of requests that are traced, from 0 to 1. The flag in a client's `traceparent` overrides
        /// it.
        sample: Share = "1.0",
    }
}

impl Traces {
    /// An error says what is wrong with the address, under its key.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.endpoint.is_empty() {
            return Ok(());
        }
        base_url::check(&self.endpoint).map_err(|message| ("endpoint", message))?;
        let is_path = self.path.is_empty() || self.path.starts_with('/');
        let url = self.url().parse::<http::Uri>();
        if is_path && url.is_ok() {
            return Ok(());
        }
        Err(("path", format!("expected a path such as \"/v1/traces\", got {:?}", self.path)))
    }

    /// The URL that messages are sent to.
    pub fn url(&self) -> String {
        format!("{}{}", self.endpoint.trim_end_matches('/'), self.path)
    }
}

/// Pairs of a name and a value, percent-encoded as in the `OTEL_*` variables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes(pub Vec<(String, String)>);

impl Setting for Attributes {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        pairs(text).map(Self).map_err(|item| format!("expected NAME=VALUE, got {item:?}"))
    }

    fn schema() -> Value {
        list_of(&json!({ "type": "string" }))
    }
}

/// Headers whose values are secrets: they print as `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretHeaders(Vec<(HeaderName, HeaderValue)>);

impl SecretHeaders {
    /// The headers themselves.
    pub fn expose(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.0.iter()
    }
}

impl Setting for SecretHeaders {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        // An error repeats no value: it may be a key.
        let wrong =
            || "expected NAME=VALUE, separated by commas, values percent-encoded".to_owned();
        let header = |(name, value): (String, String)| {
            let name = HeaderName::try_from(name).map_err(|_| wrong())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            Ok((name, value))
        };
        let pairs = pairs(text).map_err(|_| wrong())?;
        pairs.into_iter().map(header).collect::<Result<_, String>>().map(Self)
    }

    fn shown(text: &str) -> String {
        let name = |item: &str| item.split('=').next().unwrap_or_default().trim().to_owned();
        let names: Vec<String> = items(text).map(|item| format!("{}=***", name(item))).collect();
        names.join(",")
    }

    fn schema() -> Value {
        list_of(&json!({ "type": "string" }))
    }
}

impl fmt::Debug for SecretHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The pairs of a list; an error is the first item that is none.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let pair = |item: &str| {
        let (name, value) = item.split_once('=')?;
        let (name, value) = (name.trim(), decoded(value.trim())?);
        (!name.is_empty()).then(|| (name.to_owned(), value))
    };
    items(text).map(|item| pair(item).ok_or_else(|| item.to_owned())).collect()
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

    #[test]
    fn headers_are_decoded_and_never_print() {
        let headers =
            SecretHeaders::parse("api-key=canary%2C1, authorization=Basic%20canary=").unwrap();
        let values: Vec<&str> =
            headers.expose().map(|(_, value)| value.to_str().unwrap()).collect();
        assert_eq!(values, ["canary,1", "Basic canary="]);
        assert!(!format!("{headers:?}").contains("canary"));
        assert_eq!(SecretHeaders::shown("api-key=canary,b=canary"), "api-key=***,b=***");
        for wrong in ["canary", "=canary", "a b=canary", "a=canary%zz", "a=%0acanary"] {
            assert!(!SecretHeaders::parse(wrong).unwrap_err().contains("canary"), "{wrong}");
        }
    }
}
