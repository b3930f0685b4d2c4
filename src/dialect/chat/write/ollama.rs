//! Ollama's own `/api/chat` and `/api/generate`.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Answering, Written};

/// An answer; of `/api/chat` it is a message.
pub(in super::super) fn answer(answering: &Answering<'_>, is_chat: bool) -> Option<Written> {
    let said = |text: &str| {
        if is_chat {
            ("message", json!({ "role": "assistant", "content": text }))
        } else {
            ("response", json!(text))
        }
    };
    if answering.request.framing.is_none() {
        return Some(Written::json(&last(answering, said(answering.text))?.into()));
    }
    let mut first = line(answering, said(answering.text))?;
    first.insert("done".to_owned(), json!(false));
    let last = last(answering, said(""))?;
    Some(Written::lines("application/x-ndjson", &[first.into(), last.into()]))
}

fn last(answering: &Answering<'_>, said: (&str, Value)) -> Option<Map<String, Value>> {
    let mut line = line(answering, said)?;
    line.insert("done".to_owned(), json!(true));
    line.insert("done_reason".to_owned(), json!("stop"));
    for zero in [
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
    ] {
        line.insert(zero.to_owned(), json!(0));
    }
    Some(line)
}

fn line(answering: &Answering<'_>, (name, said): (&str, Value)) -> Option<Map<String, Value>> {
    let created = OffsetDateTime::from_unix_timestamp(i64::from(answering.created)).ok()?;
    let mut line = Map::new();
    line.insert("model".to_owned(), json!(answering.request.model));
    line.insert("created_at".to_owned(), json!(created.format(&Rfc3339).ok()?));
    line.insert(name.to_owned(), said);
    Some(line)
}
