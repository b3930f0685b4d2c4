//! Anthropic, which gives no embeddings.

use http::{HeaderMap, HeaderName, Method, header};

use super::{BEARER, Dialect, EmbedShape};
use crate::error::{Error, Kind};

/// Anthropic.
#[derive(Debug)]
pub(super) struct Anthropic;

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn embed(&self, _method: &Method, _path: &str) -> Option<&'static dyn EmbedShape> {
        None
    }

    fn credential(&self, _path: &str, headers: &HeaderMap) -> (HeaderName, &'static str) {
        // Newer SDKs, for newer versions of the API, send theirs as a bearer's.
        let bearer = headers.contains_key(header::AUTHORIZATION);
        if bearer { BEARER } else { (HeaderName::from_static("x-api-key"), "") }
    }

    fn credentials(&self) -> &'static [&'static str] {
        &["authorization", "x-api-key"]
    }

    fn write_error(&self, _path: &str, error: &Error) -> Vec<u8> {
        let kind = match error.kind {
            Kind::BadRequest | Kind::UriTooLong => "invalid_request_error",
            Kind::Unauthorized => "authentication_error",
            Kind::BodyTooLarge => "request_too_large",
            Kind::Overloaded | Kind::CircuitOpen => "overloaded_error",
            Kind::RateLimited => "rate_limit_error",
            Kind::RequestTimeout | Kind::UpstreamTimeout | Kind::NotCached => "timeout_error",
            Kind::NotRecorded | Kind::UnknownProvider => "not_found_error",
            Kind::ForbiddenOrigin => "permission_error",
            Kind::UpstreamUnreachable | Kind::UpstreamInvalid | Kind::Internal => "api_error",
        };
        let error = serde_json::json!({ "type": kind, "message": error.message });
        serde_json::json!({ "type": "error", "error": error }).to_string().into_bytes()
    }
}
