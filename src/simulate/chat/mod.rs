//! What models say, in the wire shapes of providers other than `OpenAI`'s chat; a file for each.
//!
//! A shape reads a call and spells an answer; what is said comes from `oracle`, and what befalls a
//! call from `provider`.

mod anthropic;
mod cohere;
mod gemini;
mod ollama;
mod responses;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::POISON;
use super::bill::Bill;
use super::frames::Frames;
use super::oracle;
use super::provider::{Denial, Provider, pause};
use super::reply::{self, Body};

/// A provider's wire shape.
trait Shape: Sync {
    /// Reads a call; nothing if it is not a good one.
    fn read<'a>(&self, path: &'a str, body: &'a [u8]) -> Option<Asked<'a>>;

    /// The whole answer.
    fn whole(&self, said: &Said) -> String;

    /// The answer piece by piece: one for each word, and what goes before and after.
    fn pieces(&self, said: &Said) -> Vec<String>;

    /// An error.
    fn error(&self, status: StatusCode, message: &str) -> String;

    /// The media type of a streamed answer.
    fn media_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }
}

/// What a call asks for.
#[derive(Debug)]
struct Asked<'a> {
    model: String,
    /// As JSON text.
    conversation: &'a str,
    streamed: bool,
}

/// What is answered. Words are plain ASCII and need no escapes.
#[derive(Debug)]
struct Said {
    id: String,
    /// As JSON text.
    model: String,
    words: Vec<String>,
    bill: Bill,
}

/// The members of a call that a shape may look at.
#[derive(Debug, Deserialize)]
struct Fields<'a> {
    model: Option<String>,
    stream: Option<bool>,
    #[serde(borrow, alias = "input", alias = "contents", alias = "prompt")]
    messages: Option<&'a RawValue>,
}

/// Answers a call, if its path is one of these shapes'; nothing in it if the connection is to be cut.
pub(super) async fn answer(
    provider: &Arc<Provider>,
    head: &Parts,
    body: &[u8],
) -> Option<Option<Response<Body>>> {
    let shape = shape(head)?;
    provider.stats().chat_request();
    let response = match converse(provider, shape, (head.uri.path(), body)).await {
        Ok(response) => response,
        Err(Denial::Cut) => return Some(None),
        Err(denial) => refuse(provider, shape, denial),
    };
    Some(Some(response))
}

fn shape(head: &Parts) -> Option<&'static dyn Shape> {
    if head.method != Method::POST {
        return None;
    }
    let path = head.uri.path();
    match path.strip_prefix("/v1").unwrap_or(path) {
        "/messages" => Some(&anthropic::Messages),
        "/responses" => Some(&responses::Responses),
        "/v2/chat" => Some(&cohere::Chat),
        "/api/chat" => Some(&ollama::CHAT),
        "/api/generate" => Some(&ollama::GENERATE),
        path if path.ends_with("enerateContent") => Some(&gemini::Generate),
        _ => None,
    }
}

async fn converse(
    provider: &Arc<Provider>,
    shape: &'static dyn Shape,
    (path, body): (&str, &[u8]),
) -> Result<Response<Body>, Denial> {
    let call = provider.admit()?;
    let asked = shape.read(path, body).filter(|asked| !asked.conversation.contains(POISON));
    let Some(asked) = asked else {
        return Ok(error(provider, shape, (StatusCode::BAD_REQUEST, "the request is invalid")));
    };
    call.survive(&asked.model).await?;
    let faults = Arc::clone(call.faults());
    let seed = oracle::chat_seed(&asked.model, asked.conversation);
    let said = Said {
        id: format!("{:016x}", oracle::mix(provider.next_reply())),
        model: serde_json::to_string(&asked.model).expect("a string is JSON"),
        words: oracle::words(seed, faults.chunks),
        bill: Bill::of_chat(
            provider.prompts(),
            (&asked.model, asked.conversation),
            (body, faults.chunks),
        ),
    };
    provider.bill(&asked.model, &said.bill);
    call.work(&asked.model, 0).await;
    if asked.streamed {
        let pieces = shape.pieces(&said).into_iter().map(Bytes::from).collect();
        let frames = Frames::new(pieces, faults.chunk_delay, call.into_seat());
        let mut response = reply::events(frames);
        let media_type = HeaderValue::from_static(shape.media_type());
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        return Ok(response);
    }
    let chunks = u32::try_from(faults.chunks).unwrap_or(u32::MAX);
    pause(faults.chunk_delay.saturating_mul(chunks)).await;
    Ok(reply::json(StatusCode::OK, shape.whole(&said)))
}

fn refuse(provider: &Provider, shape: &dyn Shape, denial: Denial) -> Response<Body> {
    let (status, wait) = match denial {
        Denial::TooMany(wait) | Denial::TooManyAtOnce(wait) => {
            (StatusCode::TOO_MANY_REQUESTS, Some(wait))
        }
        Denial::Failure | Denial::Cut => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    let mut response = error(provider, shape, (status, "the provider is unavailable"));
    if let Some(wait) = wait {
        let seconds = wait.as_millis().div_ceil(1_000);
        let seconds = HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn error(
    provider: &Provider,
    shape: &dyn Shape,
    (status, message): (StatusCode, &str),
) -> Response<Body> {
    provider.stats().error(status);
    reply::json(status, shape.error(status, message))
}

impl<'a> Fields<'a> {
    /// Reads a call that names its model.
    fn read(body: &'a [u8], streams_unless_told: bool) -> Option<Asked<'a>> {
        let fields: Self = serde_json::from_slice(body).ok()?;
        Some(Asked {
            model: fields.model.filter(|model| !model.is_empty())?,
            conversation: fields.messages?.get(),
            streamed: fields.stream.unwrap_or(streams_unless_told),
        })
    }
}

/// An event with a name.
fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
