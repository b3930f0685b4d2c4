//! `OpenAI`'s wire shapes: which path is what, and the headers that every reply has.
//!
//! Knows what is said, not whether there is room for a call (`provider`) or what the answer is
//! (`oracle`).

mod chat;
mod embeddings;
mod fields;
mod models;
mod refusal;
mod transcript;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};

use super::oracle;
use super::provider::Provider;
use super::reply::Body;
use refusal::{Refusal, Trouble};

/// What an account without a limit of its own is told: a limit that is out of reach.
const REQUEST_LIMIT: u32 = 30_000;
const TOKEN_LIMIT: u32 = 150_000_000;

/// Answers a request; nothing if the connection is to be cut.
pub(super) async fn answer(
    provider: &Arc<Provider>,
    head: &Parts,
    body: &Bytes,
) -> Option<Response<Body>> {
    let started = Instant::now();
    let mut response = match route(provider, head, body).await {
        Ok(response) => response,
        Err(Trouble::Refused(refusal)) => {
            provider.stats().error(refusal.status);
            refusal.into_response()
        }
        Err(Trouble::Cut) => return None,
    };
    let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    decorate(response.headers_mut(), provider, elapsed);
    Some(response)
}

async fn route(
    provider: &Arc<Provider>,
    head: &Parts,
    body: &[u8],
) -> Result<Response<Body>, Trouble> {
    let full = head.uri.path();
    let path = full.strip_prefix("/v1").unwrap_or(full);
    match (head.method.as_str(), path) {
        ("POST", "/embeddings") => embeddings::answer(provider, body).await,
        ("POST", "/chat/completions") => chat::answer(provider, body).await,
        ("GET", "/models") => Ok(models::list()),
        (_, "/embeddings" | "/chat/completions" | "/models") => {
            Err(Refusal::method(&head.method, full).into())
        }
        ("GET", _) => match path.strip_prefix("/models/") {
            Some(id) => models::one(id),
            None => Err(Refusal::path(&head.method, full).into()),
        },
        _ => Err(Refusal::path(&head.method, full).into()),
    }
}

fn decorate(headers: &mut HeaderMap, provider: &Provider, elapsed_ms: u64) {
    headers.insert("x-request-id", request_id(provider.next_reply()));
    headers.insert("openai-processing-ms", HeaderValue::from(elapsed_ms));
    headers.insert("openai-version", HeaderValue::from_static("2020-10-01"));
    headers.insert("openai-organization", HeaderValue::from_static("org-simulated"));
    let (limit, remaining, reset_ms) = match provider.level() {
        Some(level) => (level.limit, level.remaining, level.reset.as_millis()),
        None => (u64::from(REQUEST_LIMIT), u64::from(REQUEST_LIMIT - 1), 2),
    };
    headers.insert("x-ratelimit-limit-requests", HeaderValue::from(limit));
    headers.insert("x-ratelimit-remaining-requests", HeaderValue::from(remaining));
    headers.insert("x-ratelimit-reset-requests", ascii(format!("{reset_ms}ms")));
    headers.insert("x-ratelimit-limit-tokens", HeaderValue::from(TOKEN_LIMIT));
    headers.insert("x-ratelimit-remaining-tokens", HeaderValue::from(TOKEN_LIMIT - 1));
    headers.insert("x-ratelimit-reset-tokens", HeaderValue::from_static("0s"));
}

/// Looks random, as the real ones do; mixing is a bijection, so no two are the same.
fn request_id(number: u64) -> HeaderValue {
    ascii(format!("req_{:016x}{:016x}", oracle::mix(number), oracle::mix(!number)))
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("letters, digits and underscores are a header's value")
}

/// Says when to come back, in both of the headers that the SDKs read.
fn retry_after(headers: &mut HeaderMap, wait_ms: u64) {
    headers.insert("retry-after-ms", HeaderValue::from(wait_ms));
    headers.insert(RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1000)));
}
