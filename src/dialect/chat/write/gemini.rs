//! Gemini's `:generateContent` and `:streamGenerateContent`.

use serde_json::{Value, json};

use super::{Answering, EVENTS, JSON, Written};

/// An answer; the pieces of a stream that is not asked for as events are a list.
pub(in super::super) fn answer(answering: &Answering<'_>, as_events: bool) -> Written {
    let whole = whole(answering);
    match answering.request.framing {
        None => Written::json(&whole),
        Some(_) if as_events => {
            Written { media_type: EVENTS, body: format!("data: {whole}\r\n\r\n").into() }
        }
        Some(_) => Written { media_type: JSON, body: format!("[{whole}]").into() },
    }
}

fn whole(answering: &Answering<'_>) -> Value {
    let candidate = |index: u64| {
        json!({
            "content": { "parts": [{ "text": answering.text }], "role": "model" },
            "finishReason": "STOP",
            "index": index,
        })
    };
    json!({
        "candidates": (0..answering.request.choices).map(candidate).collect::<Vec<_>>(),
        "usageMetadata": { "promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0 },
        "modelVersion": answering.request.model,
        "responseId": answering.id,
    })
}
