//! Anthropic: no embeddings, and errors in a shape of its own.

use http::Method;

use super::json;
use super::{Dialect, Endpoint};
use crate::error::{Error, Kind};

/// Anthropic itself.
#[derive(Debug)]
pub(super) struct Anthropic;

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn endpoint(&self, _method: &Method, _path: &str) -> Endpoint {
        Endpoint::Other
    }

    fn write_error(&self, _path: &str, error: &Error) -> Vec<u8> {
        let kind = match error.kind {
            Kind::BadRequest | Kind::RequestTimeout => "invalid_request_error",
            Kind::BodyTooLarge => "request_too_large",
            Kind::Overloaded => "overloaded_error",
            Kind::UpstreamTimeout | Kind::NotCached => "timeout_error",
            Kind::UpstreamUnreachable | Kind::UpstreamInvalid => "api_error",
        };
        let mut out = br#"{"type":"error","error":{"type":"#.to_vec();
        json::write_text(&mut out, kind);
        out.extend(br#","message":"#);
        json::write_text(&mut out, &error.message);
        out.extend(br#"},"request_id":null}"#);
        out
    }
}
