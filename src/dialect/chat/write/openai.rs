//! `/chat/completions` and `/completions`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::{Answering, EVENTS, Written};

/// How an endpoint says its words.
#[derive(Clone, Copy)]
enum Kind {
    Chat,
    Text,
}

/// Whether a stream tells what it used.
#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// An answer of `/chat/completions`.
pub(in super::super) fn chat(answering: &Answering<'_>) -> Option<Written> {
    answer(answering, Kind::Chat)
}

/// An answer of `/completions`.
pub(in super::super) fn text(answering: &Answering<'_>) -> Option<Written> {
    answer(answering, Kind::Text)
}

fn answer(answering: &Answering<'_>, kind: Kind) -> Option<Written> {
    if answering.request.framing.is_none() {
        let whole = json!({
            "id": kind.id(answering.id),
            "object": kind.object(),
            "created": answering.created,
            "model": answering.request.model,
            "choices": kind.choices(answering),
            "usage": usage(),
        });
        return Some(Written::json(&whole));
    }
    let options: Option<StreamOptions> =
        Fields::read(answering.body).ok()?.value("stream_options").ok()?;
    let tells = options.and_then(|options| options.include_usage).unwrap_or(false);
    let mut frames = Vec::new();
    let mut chunk = |choices: Vec<Value>, used: Value| {
        let mut chunk = json!({
            "id": kind.id(answering.id),
            "object": kind.chunk_object(),
            "created": answering.created,
            "model": answering.request.model,
            "choices": choices,
        });
        if tells && let Some(members) = chunk.as_object_mut() {
            members.insert("usage".to_owned(), used);
        }
        frames.push(format!("data: {chunk}\n\n"));
    };
    for index in 0..answering.request.choices {
        for choice in kind.chunks(index, answering.text) {
            chunk(vec![choice], Value::Null);
        }
    }
    if tells {
        chunk(Vec::new(), usage());
    }
    frames.push("data: [DONE]\n\n".to_owned());
    Some(Written::of(EVENTS, frames.into_iter()))
}

impl Kind {
    fn id(self, id: &str) -> String {
        match self {
            Self::Chat => format!("chatcmpl-{id}"),
            Self::Text => format!("cmpl-{id}"),
        }
    }

    fn object(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion",
            Self::Text => "text_completion",
        }
    }

    fn chunk_object(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion.chunk",
            Self::Text => "text_completion",
        }
    }

    fn choices(self, answering: &Answering<'_>) -> Vec<Value> {
        let text = answering.text;
        let choice = |index| match self {
            Self::Chat => json!({
                "index": index,
                "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null,
                "finish_reason": "stop",
            }),
            Self::Text => part(index, text, Some("stop")),
        };
        (0..answering.request.choices).map(choice).collect()
    }

    /// The parts of one choice: who speaks, what, and why it ends.
    fn chunks(self, index: u64, text: &str) -> Vec<Value> {
        match self {
            Self::Chat => vec![
                delta(index, &json!({ "role": "assistant", "content": "" }), None),
                delta(index, &json!({ "content": text }), None),
                delta(index, &json!({}), Some("stop")),
            ],
            Self::Text => vec![part(index, text, None), part(index, "", Some("stop"))],
        }
    }
}

fn delta(index: u64, delta: &Value, reason: Option<&str>) -> Value {
    json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": reason })
}

fn part(index: u64, text: &str, reason: Option<&str>) -> Value {
    json!({ "index": index, "text": text, "logprobs": null, "finish_reason": reason })
}

fn usage() -> Value {
    json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 })
}
