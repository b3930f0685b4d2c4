//! Gemini: `embedContent`, `batchEmbedContents` and `/openai/embeddings`.
//!
//! A batch is a list of whole requests, and gives for each the vector that it gives alone. So both
//! share their entries, and single calls of many callers travel as one batch.

mod question;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method};

use super::listed::{self, Form};
use super::shape::{Encodings, Shape};
use super::{
    Asked, BEARER, Dialect, EmbedCall, EmbedReply, EmbedShape, Invalid, Limits, Unreadable, json,
    openai,
};
use crate::error::{Error, Kind};
use crate::request::{EmbedRequest, Input};
use crate::vector::Vector;

/// Gemini.
#[derive(Debug)]
pub(super) struct Gemini;

/// 100 requests in a batch. Longer texts are cut off; how much it takes together is not published.
const LIMITS: Limits =
    Limits { inputs: 100, input_tokens: usize::MAX, tokens: usize::MAX, bytes: 8 << 20 };

static COMPATIBLE: Shape =
    Shape { encodings: Encodings::Asked, by_path: true, limits: LIMITS, ..openai::SHAPE };

const ONE: &str = ":embedContent";
const BATCH: &str = ":batchEmbedContents";

impl Dialect for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match path {
            _ if method != Method::POST => None,
            "/openai/embeddings" => Some(&COMPATIBLE),
            _ if !path.starts_with("/models/") => None,
            _ if path.ends_with(ONE) => Some(&One),
            _ if path.ends_with(BATCH) => Some(&Batch),
            _ => None,
        }
    }

    fn credential(&self, path: &str, _headers: &HeaderMap) -> (HeaderName, &'static str) {
        if path.contains("/openai/") {
            BEARER
        } else {
            (HeaderName::from_static("x-goog-api-key"), "")
        }
    }

    fn credentials(&self) -> &'static [&'static str] {
        &["access_token", "authorization", "key", "x-goog-api-key"]
    }

    fn write_error(&self, path: &str, error: &Error) -> Vec<u8> {
        if path.contains("/openai/") {
            return openai::write_error(error);
        }
        let status = match error.kind {
            Kind::BadRequest | Kind::BodyTooLarge | Kind::UriTooLong => "INVALID_ARGUMENT",
            Kind::Unauthorized => "UNAUTHENTICATED",
            Kind::RequestTimeout | Kind::UpstreamTimeout | Kind::NotCached => "DEADLINE_EXCEEDED",
            Kind::Overloaded | Kind::CircuitOpen | Kind::UpstreamUnreachable => "UNAVAILABLE",
            Kind::RateLimited => "RESOURCE_EXHAUSTED",
            Kind::NotRecorded | Kind::UnknownProvider => "NOT_FOUND",
            Kind::ForbiddenOrigin => "PERMISSION_DENIED",
            Kind::UpstreamInvalid | Kind::Internal => "INTERNAL",
        };
        let code = error.kind.status().as_u16();
        let error = serde_json::json!({ "code": code, "message": error.message, "status": status });
        serde_json::json!({ "error": error }).to_string().into_bytes()
    }
}

const COUNTS: &[&str] = &["promptTokenCount", "tokenCount", "totalTokenCount"];

static ONE_VECTOR: Form =
    Form { vectors: "embedding", one: true, wrap: "values", counts: COUNTS, echo: "" };

static VECTORS: Form =
    Form { vectors: "embeddings", one: false, wrap: "values", counts: COUNTS, echo: "" };

/// `{model}:embedContent`.
#[derive(Debug)]
struct One;

impl EmbedShape for One {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn read<'a>(&self, path: &str, body: &'a [u8]) -> Result<EmbedRequest<'a>, Unreadable> {
        question::read_one(path, body)
    }

    fn write_call(&self, call: &EmbedCall<'_>) -> Vec<u8> {
        write_batch(call)
    }

    fn call_path<'p>(&self, path_and_query: &'p str) -> Cow<'p, str> {
        Cow::Owned(path_and_query.replacen(ONE, BATCH, 1))
    }

    fn read_reply(&self, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid> {
        listed::read(&ONE_VECTOR, body, asked)
    }

    fn read_call_reply(&self, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid> {
        listed::read(&VECTORS, body, asked)
    }

    fn write_reply(&self, request: &EmbedRequest<'_>, vectors: &[Vector]) -> Vec<u8> {
        listed::write(&ONE_VECTOR, request, vectors)
    }
}

/// `{model}:batchEmbedContents`.
#[derive(Debug)]
struct Batch;

impl EmbedShape for Batch {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn read<'a>(&self, path: &str, body: &'a [u8]) -> Result<EmbedRequest<'a>, Unreadable> {
        question::read_batch(path, body)
    }

    fn write_call(&self, call: &EmbedCall<'_>) -> Vec<u8> {
        write_batch(call)
    }

    fn read_reply(&self, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid> {
        listed::read(&VECTORS, body, asked)
    }

    fn write_reply(&self, request: &EmbedRequest<'_>, vectors: &[Vector]) -> Vec<u8> {
        listed::write(&VECTORS, request, vectors)
    }
}

fn write_batch(call: &EmbedCall<'_>) -> Vec<u8> {
    let length: usize = call.inputs.iter().map(|input| input.bytes() + 96).sum();
    let mut out = Vec::with_capacity(length + call.inputs.len() * call.params.len() + 64);
    out.extend(br#"{"requests":["#);
    let model = format!("models/{}", call.model);
    for (i, input) in call.inputs.iter().enumerate() {
        let Input::Json(content) = input else { continue };
        out.extend(if i > 0 { &br#",{"model":"#[..] } else { br#"{"model":"# });
        json::write_text(&mut out, &model);
        out.push(b',');
        if !call.params.is_empty() {
            out.extend(call.params.as_bytes());
            out.push(b',');
        }
        out.extend(content.strip_prefix('{').unwrap_or_default().as_bytes());
    }
    out.extend(b"]}");
    out
}
