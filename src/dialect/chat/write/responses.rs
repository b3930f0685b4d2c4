//! `OpenAI`'s `/responses`.

use serde_json::{Value, json};

use super::super::fields::Fields;
use super::{Answering, Written};

/// What a response repeats of its request, and what it says where that does not.
const REPEATED: &[(&str, &str)] = &[
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_p", "1.0"),
    ("truncation", r#""disabled""#),
];

/// An answer.
pub(in super::super) fn answer(answering: &Answering<'_>) -> Option<Written> {
    let fields = Fields::read(answering.body).ok()?;
    let whole = response(answering, &fields, &[item(answering, "completed")])?;
    if answering.request.framing.is_none() {
        return Some(Written::json(&whole));
    }
    let mut begun = response(answering, &fields, &[])?;
    let members = begun.as_object_mut()?;
    members.insert("status".to_owned(), json!("in_progress"));
    members.insert("usage".to_owned(), Value::Null);
    let mut events = events(answering, &begun, &whole);
    for (number, event) in events.iter_mut().enumerate() {
        event.as_object_mut()?.insert("sequence_number".to_owned(), json!(number));
    }
    Some(Written::named_events(&events))
}

fn response(answering: &Answering<'_>, fields: &Fields<'_>, output: &[Value]) -> Option<Value> {
    let mut response = json!({
        "id": format!("resp_{}", answering.id),
        "object": "response",
        "created_at": answering.created,
        "status": "completed",
        "background": false,
        "error": null,
        "incomplete_details": null,
        "model": answering.request.model,
        "output": output,
        "previous_response_id": null,
        // Nothing is kept anywhere that a later request could refer to.
        "store": false,
        "usage": {
            "input_tokens": 0,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": 0,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": 0,
        },
    });
    let members = response.as_object_mut()?;
    for (name, unsaid) in REPEATED {
        let said = fields.raw(name).unwrap_or(unsaid);
        members.insert((*name).to_owned(), serde_json::from_str(said).ok()?);
    }
    Some(response)
}

fn item(answering: &Answering<'_>, status: &str) -> Value {
    let content = if status == "completed" { vec![part(answering.text)] } else { Vec::new() };
    json!({
        "type": "message",
        "id": message(answering),
        "status": status,
        "role": "assistant",
        "content": content,
    })
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn message(answering: &Answering<'_>) -> String {
    format!("msg_{}", answering.id)
}

fn events(answering: &Answering<'_>, begun: &Value, whole: &Value) -> Vec<Value> {
    let (text, id) = (answering.text, message(answering));
    let item = |status| item(answering, status);
    let of_text = |kind: &str, name: &str, said: Value| {
        let mut event =
            json!({ "type": kind, "item_id": id, "output_index": 0, "content_index": 0 });
        if let Some(members) = event.as_object_mut() {
            members.insert(name.to_owned(), said);
            if name != "part" {
                members.insert("logprobs".to_owned(), json!([]));
            }
        }
        event
    };
    vec![
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.in_progress", "response": begun }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item("in_progress") }),
        of_text("response.content_part.added", "part", part("")),
        of_text("response.output_text.delta", "delta", json!(text)),
        of_text("response.output_text.done", "text", json!(text)),
        of_text("response.content_part.done", "part", part(text)),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item("completed") }),
        json!({ "type": "response.completed", "response": whole }),
    ]
}
