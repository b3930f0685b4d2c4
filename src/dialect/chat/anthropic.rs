//! Anthropic's `/messages`.

use serde::Deserialize;

use super::super::Unreadable;
use super::fields::Fields;
use super::{Answering, ChatShape, Spoilt, Spoken, Watch, Written, write};
use crate::request::{ChatRequest, Framing, Sharing};

const COMPLETE: &[&str] = &["end_turn", "stop_sequence"];

/// `/messages`.
#[derive(Debug)]
pub(super) struct Messages;

impl ChatShape for Messages {
    fn not_asked(&self) -> &'static [&'static str] {
        &["metadata"]
    }

    fn read(&self, _path: &str, body: &[u8]) -> Result<ChatRequest, Unreadable> {
        let fields = Fields::read(body)?;
        let streamed = fields.value("stream")?.unwrap_or(false);
        let model: String = fields.value("model")?.unwrap_or_default();
        Ok(ChatRequest {
            framing: streamed.then_some(Framing::Events),
            choices: 1,
            sharing: sharing(&fields, &model),
            model,
        })
    }

    fn spoken<'a>(&self, _path: &str, body: &'a [u8]) -> Result<Spoken<'a>, Unreadable> {
        let fields = Fields::read(body)?;
        let mut spoken = Spoken::default();
        if let Some(system) = fields.raw("system") {
            spoken.hear_system(system)?;
        }
        spoken.hear(fields.raw("messages").unwrap_or("[]"), "")?;
        Ok(spoken)
    }

    fn write(&self, answering: &Answering<'_>) -> Option<Written> {
        Some(write::anthropic::answer(answering))
    }

    fn whole(&self, body: &[u8], watch: &mut Watch) {
        match serde_json::from_slice::<Message>(body) {
            Ok(message) if message.kind == "message" => {
                watch.choice(0, message.stop_reason.as_deref(), COMPLETE);
            }
            Ok(_) => watch.spoil(Spoilt::Error),
            Err(_) => watch.spoil(Spoilt::Unreadable),
        }
        watch.end();
    }

    fn frame(&self, _event: &[u8], data: &[u8], watch: &mut Watch) {
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            return watch.spoil(Spoilt::Unreadable);
        };
        match event.kind.as_str() {
            _ if watch.is_ended() => watch.spoil(Spoilt::Unreadable),
            "message_delta" => {
                let reason = event.delta.and_then(|delta| delta.stop_reason);
                watch.choice(0, reason.as_deref(), COMPLETE);
            }
            "message_stop" => watch.end(),
            "error" => watch.spoil(Spoilt::Error),
            _ => {}
        }
    }
}

fn sharing(fields: &Fields<'_>, model: &str) -> Sharing {
    if fields.says("container") {
        Sharing::Never("state")
    } else {
        fields.chance(&["tools"], model)
    }
}

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    stop_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    delta: Option<Delta>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    stop_reason: Option<String>,
}
