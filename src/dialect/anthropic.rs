//! Anthropic, which gives no embeddings.

use http::Method;

use super::{Dialect, EmbedShape};
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

    fn write_error(&self, _path: &str, error: &Error) -> Vec<u8> {
        let kind = match error.kind {
            Kind::BadRequest | Kind::UriTooLong => "invalid_request_error",
            Kind::Unauthorized => "authentication_error",
            Kind::BodyTooLarge => "request_too_large",
            Kind::Overloaded | Kind::CircuitOpen => "overloaded_error",
            Kind::RateLimited => "rate_limit_error",
            Kind::RequestTimeout | Kind::UpstreamTimeout | Kind::NotCached => "timeout_error",
            Kind::UpstreamUnreachable | Kind::UpstreamInvalid | Kind::Internal => "api_error",
        };
        let error = serde_json::json!({ "type": kind, "message": error.message });
        serde_json::json!({ "type": "error", "error": error }).to_string().into_bytes()
    }
}
