//! `OpenAI`'s `/responses`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::Unreadable;
use super::fields::Fields;
use super::{Answering, ChatShape, Spoilt, Spoken, Watch, Written, write};
use crate::request::{ChatRequest, Framing, Sharing};

/// What refers to something that the provider keeps.
const STATE: &[&str] = &["previous_response_id", "conversation", "background", "prompt"];

/// `/responses`.
#[derive(Debug)]
pub(super) struct Responses;

impl ChatShape for Responses {
    fn read(&self, _path: &str, body: &[u8]) -> Result<ChatRequest, Unreadable> {
        let fields = Fields::read(body)?;
        let streamed = fields.value("stream")?.unwrap_or(false);
        let model: String = fields.value("model")?.unwrap_or_default();
        Ok(ChatRequest {
            framing: streamed.then_some(Framing::Events),
            choices: 1,
            sharing: sharing(&fields, &model)?,
            model,
        })
    }

    fn spoken<'a>(&self, _path: &str, body: &'a [u8]) -> Result<Spoken<'a>, Unreadable> {
        let fields = Fields::read(body)?;
        let mut spoken = Spoken::default();
        if let Some(instructions) = fields.raw("instructions") {
            spoken.hear_system(instructions)?;
        }
        match fields.raw("input") {
            Some(text) if text.starts_with('"') => spoken.hear_user(text)?,
            input => spoken.hear(input.unwrap_or("[]"), "")?,
        }
        Ok(spoken)
    }

    fn write(&self, answering: &Answering<'_>) -> Option<Written> {
        write::responses::answer(answering)
    }

    fn whole(&self, body: &[u8], watch: &mut Watch) {
        match serde_json::from_slice(body) {
            Ok(response) => judge(response, watch),
            Err(_) => watch.spoil(Spoilt::Unreadable),
        }
        watch.end();
    }

    fn frame(&self, _event: &[u8], data: &[u8], watch: &mut Watch) {
        if watch.is_after_end(data) {
            return;
        }
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            return watch.spoil(Spoilt::Unreadable);
        };
        match (event.kind.as_str(), event.response) {
            ("response.completed", Some(response)) => {
                judge(response, watch);
                watch.end();
            }
            ("response.incomplete", _) => watch.spoil(Spoilt::Reason),
            ("response.completed" | "response.failed" | "error", _) => watch.spoil(Spoilt::Error),
            _ => {}
        }
    }
}

/// Unlike elsewhere a response is kept by the provider unless the request says not to.
fn sharing(fields: &Fields<'_>, model: &str) -> Result<Sharing, Unreadable> {
    let stored = fields.value("store")?.unwrap_or(true);
    Ok(if stored || fields.any(STATE) {
        Sharing::Never("state")
    } else {
        fields.chance(&["tools"], model)
    })
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    response: Option<Response>,
}

#[derive(Debug, Deserialize)]
struct Response {
    status: Option<String>,
    error: Option<IgnoredAny>,
    #[serde(default)]
    output: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    content: Option<Vec<Part>>,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
}

fn judge(response: Response, watch: &mut Watch) {
    if response.error.is_some() {
        return watch.spoil(Spoilt::Error);
    }
    for item in response.output {
        let refused = |part: &Part| part.kind == "refusal";
        match item.kind.as_str() {
            "message" | "reasoning" if item.content.iter().flatten().any(refused) => {
                watch.spoil(Spoilt::Refused);
            }
            "message" | "reasoning" => {}
            _ => watch.spoil(Spoilt::Reason),
        }
    }
    watch.choice(0, response.status.as_deref(), &["completed"]);
}
