//! Answers that larder gives itself, in the shapes of providers; a file for each.

pub(super) mod anthropic;
pub(super) mod cohere;
pub(super) mod gemini;
pub(super) mod ollama;
pub(super) mod openai;
pub(super) mod responses;

use http::HeaderMap;
use serde_json::Value;

use crate::request::ChatRequest;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";

/// What is answered, and to what.
#[derive(Debug)]
pub struct Answering<'a> {
    /// Where it was asked, below the base URL.
    pub path_and_query: &'a str,
    /// As they came.
    pub headers: &'a HeaderMap,
    /// As it came.
    pub body: &'a [u8],
    /// The same as it was read.
    pub request: &'a ChatRequest,
    /// What is said.
    pub text: &'a str,
    /// What no other answer is called.
    pub id: &'a str,
    /// When, in seconds since 1970.
    pub created: u32,
}

/// An answer as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What the body is.
    pub media_type: &'static str,
    /// All of it, also where it is a stream.
    pub body: Vec<u8>,
}

impl Written {
    fn json(answer: &Value) -> Self {
        Self { media_type: JSON, body: answer.to_string().into() }
    }

    /// Events, each of which is named by its type.
    fn named_events(events: &[Value]) -> Self {
        let frame = |event: &Value| {
            let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
            format!("event: {name}\ndata: {event}\n\n")
        };
        Self::of(EVENTS, events.iter().map(frame))
    }

    /// One JSON text a line.
    fn lines(media_type: &'static str, lines: &[Value]) -> Self {
        Self::of(media_type, lines.iter().map(|line| format!("{line}\n")))
    }

    fn of(media_type: &'static str, pieces: impl Iterator<Item = String>) -> Self {
        Self { media_type, body: pieces.collect::<Vec<_>>().concat().into() }
    }
}
