//! Cohere's `/chat`, of its first version and its second.

use http::header;
use serde_json::{Value, json};

use super::{Answering, EVENTS, Written};

/// An answer of the second version.
pub(in super::super) fn second(answering: &Answering<'_>) -> Written {
    let (id, text) = (answering.id, answering.text);
    if answering.request.framing.is_none() {
        return Written::json(&json!({
            "id": id,
            "message": { "role": "assistant", "content": [{ "type": "text", "text": text }] },
            "finish_reason": "COMPLETE",
            "usage": usage(),
        }));
    }
    let content = |kind: &str, content: Value| json!({ "type": kind, "index": 0, "delta": { "message": { "content": content } } });
    let message = json!({ "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": [] });
    Written::named_events(&[
        json!({ "type": "message-start", "id": id, "delta": { "message": message } }),
        content("content-start", json!({ "type": "text", "text": "" })),
        content("content-delta", json!({ "text": text })),
        json!({ "type": "content-end", "index": 0 }),
        json!({
            "type": "message-end",
            "id": id,
            "delta": { "finish_reason": "COMPLETE", "usage": usage() },
        }),
    ])
}

/// An answer of the first version, streamed as lines unless events are accepted.
pub(in super::super) fn first(answering: &Answering<'_>) -> Written {
    let (id, text) = (answering.id, answering.text);
    let mut meta = usage();
    if let Some(members) = meta.as_object_mut() {
        members.insert("api_version".to_owned(), json!({ "version": "1" }));
    }
    let whole = json!({
        "response_id": id,
        "generation_id": id,
        "text": text,
        "finish_reason": "COMPLETE",
        "meta": meta,
    });
    if answering.request.framing.is_none() {
        return Written::json(&whole);
    }
    let lines = [
        json!({ "event_type": "stream-start", "is_finished": false, "generation_id": id }),
        json!({ "event_type": "text-generation", "is_finished": false, "text": text }),
        json!({
            "event_type": "stream-end",
            "is_finished": true,
            "finish_reason": "COMPLETE",
            "response": whole,
        }),
    ];
    let accept = answering.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/event-stream")) {
        return Written::of(EVENTS, lines.iter().map(|line| format!("data: {line}\n\n")));
    }
    Written::lines("application/stream+json", &lines)
}

fn usage() -> Value {
    let none = json!({ "input_tokens": 0, "output_tokens": 0 });
    json!({ "billed_units": none, "tokens": none })
}
