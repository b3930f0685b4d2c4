//! Cohere's `/chat`, of its first version (`message`) and its second (`messages`).

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::Unreadable;
use super::fields::Fields;
use super::{Answering, ChatShape, Spoilt, Spoken, Watch, Written, write};
use crate::request::{ChatRequest, Framing, Sharing};

const COMPLETE: &[&str] = &["COMPLETE", "STOP_SEQUENCE"];

/// `/chat`.
#[derive(Debug)]
pub(super) struct Chat;

impl ChatShape for Chat {
    fn read(&self, _path: &str, body: &[u8]) -> Result<ChatRequest, Unreadable> {
        let fields = Fields::read(body)?;
        let streamed = fields.value("stream")?.unwrap_or(false);
        let model: String = fields.value("model")?.unwrap_or_default();
        let sharing = if is_first_version(&fields) && streamed {
            // The shape of that stream depends on a header that no key has.
            Sharing::Never("framing")
        } else if fields.says("conversation_id") {
            Sharing::Never("state")
        } else {
            fields.chance(&["tools"], &model)
        };
        Ok(ChatRequest { model, framing: streamed.then_some(Framing::Events), choices: 1, sharing })
    }

    fn spoken<'a>(&self, _path: &str, body: &'a [u8]) -> Result<Spoken<'a>, Unreadable> {
        let fields = Fields::read(body)?;
        if !is_first_version(&fields) {
            return Spoken::conversation(fields.raw("messages").unwrap_or("[]"), "");
        }
        let mut spoken = Spoken::default();
        if let Some(preamble) = fields.raw("preamble") {
            spoken.hear_system(preamble)?;
        }
        spoken.hear(fields.raw("chat_history").unwrap_or("[]"), "")?;
        spoken.user = None;
        if let Some(message) = fields.raw("message") {
            spoken.hear_user(message)?;
        }
        Ok(spoken)
    }

    fn write(&self, answering: &Answering<'_>) -> Option<Written> {
        let fields = Fields::read(answering.body).ok()?;
        Some(if is_first_version(&fields) {
            write::cohere::first(answering)
        } else {
            write::cohere::second(answering)
        })
    }

    fn whole(&self, body: &[u8], watch: &mut Watch) {
        match serde_json::from_slice::<Answer>(body) {
            Ok(answer) => {
                let calls = answer.message.and_then(|message| message.tool_calls);
                let calls = calls.or(answer.tool_calls);
                if calls.is_some_and(|calls| !calls.is_empty()) {
                    watch.spoil(Spoilt::Reason);
                }
                watch.choice(0, answer.finish_reason.as_deref(), COMPLETE);
            }
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
        match event.kind.as_str() {
            "message-end" => {
                let delta = event.delta.unwrap_or_default();
                if delta.error.is_some() {
                    watch.spoil(Spoilt::Error);
                }
                watch.choice(0, delta.finish_reason.as_deref(), COMPLETE);
                watch.end();
            }
            kind if kind.starts_with("tool-call") => watch.spoil(Spoilt::Reason),
            "error" => watch.spoil(Spoilt::Error),
            _ => {}
        }
    }
}

/// Whether a request is of the version that has a message and a history in place of messages.
fn is_first_version(fields: &Fields<'_>) -> bool {
    !fields.says("messages")
}

#[derive(Debug, Deserialize)]
struct Answer {
    message: Option<Message>,
    finish_reason: Option<String>,
    /// Version 1 has these at the top.
    tool_calls: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
struct Message {
    tool_calls: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    delta: Option<Delta>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    finish_reason: Option<String>,
    error: Option<IgnoredAny>,
}
