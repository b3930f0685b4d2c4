//! Anthropic's `/messages`.

use serde_json::{Value, json};

use super::{Answering, Written};

/// An answer.
pub(in super::super) fn answer(answering: &Answering<'_>) -> Written {
    let text = answering.text;
    if answering.request.framing.is_none() {
        let content = [json!({ "type": "text", "text": text })];
        return Written::json(&message(answering, &content, Some("end_turn")));
    }
    Written::named_events(&[
        json!({ "type": "message_start", "message": message(answering, &[], None) }),
        json!({
            "type": "content_block_start",
            "index": 0,
            "content_block": { "type": "text", "text": "" },
        }),
        json!({
            "type": "content_block_delta",
            "index": 0,
            "delta": { "type": "text_delta", "text": text },
        }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta",
            "delta": { "stop_reason": "end_turn", "stop_sequence": null },
            "usage": { "output_tokens": 0 },
        }),
        json!({ "type": "message_stop" }),
    ])
}

fn message(answering: &Answering<'_>, content: &[Value], reason: Option<&str>) -> Value {
    json!({
        "id": format!("msg_{}", answering.id),
        "type": "message",
        "role": "assistant",
        "model": answering.request.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": null,
        "usage": { "input_tokens": 0, "output_tokens": 0 },
    })
}
