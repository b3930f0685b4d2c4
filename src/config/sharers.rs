//! Who shares stored answers.

use http::HeaderName;
use serde_json::{Value, json};

use super::units::Setting;

/// Who is given a stored answer, beside whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharers {
    /// Who has the same credential.
    Credential,
    /// Everybody.
    Everybody,
    /// Requests with the same value of a header; without it, requests with the same credential.
    Header(HeaderName),
}

impl Setting for Sharers {
    const KIND: &'static str = "`credential`, `shared` or `header:NAME`";

    fn parse(text: &str) -> Result<Self, String> {
        let header = |name: &str| name.trim().parse().ok().map(Self::Header);
        let read = match text {
            "credential" => Some(Self::Credential),
            "shared" => Some(Self::Everybody),
            _ => text.strip_prefix("header:").and_then(header),
        };
        let kind = Self::KIND;
        read.ok_or_else(|| format!("expected {kind}, where NAME is a header's, got {text:?}"))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(credential|shared|header:.+)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_named_after_a_colon() {
        let header = Sharers::Header(HeaderName::from_static("x-tenant"));
        assert_eq!(Sharers::parse("header:X-Tenant"), Ok(header));
        assert_eq!(Sharers::parse("shared"), Ok(Sharers::Everybody));
        for text in ["", "all", "header", "header:", "header:a b", "Shared"] {
            assert!(Sharers::parse(text).is_err(), "{text}");
        }
    }
}
