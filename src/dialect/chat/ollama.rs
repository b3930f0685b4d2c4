//! Ollama's own `/api/chat` and `/api/generate`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::Unreadable;
use super::fields::Fields;
use super::{Answering, ChatShape, Spoilt, Spoken, Watch, Written, world, write};
use crate::request::{ChatRequest, Framing, Sharing};

/// Both.
#[derive(Debug)]
pub(super) struct Chat;

impl ChatShape for Chat {
    fn read(&self, _path: &str, body: &[u8]) -> Result<ChatRequest, Unreadable> {
        let fields = Fields::read(body)?;
        let options = fields.inner("options")?;
        // Unlike elsewhere an answer is streamed unless the request says not to.
        let streamed = fields.value("stream")?.unwrap_or(true);
        let model: String = fields.value("model")?.unwrap_or_default();
        let sharing = if fields.says("tools") {
            Sharing::Drawn("tools")
        } else if world::depends(&fields, &model) {
            Sharing::Drawn("search")
        } else if options.is_zero("temperature") {
            Sharing::Deterministic
        } else {
            Sharing::Drawn("temperature")
        };
        Ok(ChatRequest { model, framing: streamed.then_some(Framing::Lines), choices: 1, sharing })
    }

    fn spoken<'a>(&self, path: &str, body: &'a [u8]) -> Result<Spoken<'a>, Unreadable> {
        let fields = Fields::read(body)?;
        if is_chat(path) {
            return Spoken::conversation(fields.raw("messages").unwrap_or("[]"), "");
        }
        let mut spoken = Spoken::default();
        if let Some(system) = fields.raw("system") {
            spoken.hear_system(system)?;
        }
        if let Some(prompt) = fields.raw("prompt").filter(|_| !fields.says("images")) {
            spoken.hear_user(prompt)?;
        }
        Ok(spoken)
    }

    fn write(&self, answering: &Answering<'_>) -> Option<Written> {
        write::ollama::answer(answering, is_chat(answering.path_and_query))
    }

    fn whole(&self, body: &[u8], watch: &mut Watch) {
        self.frame(b"", body, watch);
    }

    fn frame(&self, _event: &[u8], data: &[u8], watch: &mut Watch) {
        let Ok(line) = serde_json::from_slice::<Line>(data) else {
            return watch.spoil(Spoilt::Unreadable);
        };
        if line.error.is_some() {
            return watch.spoil(Spoilt::Error);
        }
        // The reason is the same as for a text.
        let calls = line.message.and_then(|message| message.tool_calls);
        if calls.is_some_and(|calls| !calls.is_empty()) {
            watch.spoil(Spoilt::Reason);
        }
        watch.choice(0, line.done_reason.as_deref(), &["stop"]);
        if line.done == Some(true) {
            watch.end();
        }
    }
}

fn is_chat(path_and_query: &str) -> bool {
    path_and_query.split('?').next().unwrap_or_default().ends_with("/chat")
}

#[derive(Debug, Deserialize)]
struct Line {
    error: Option<IgnoredAny>,
    message: Option<Message>,
    done: Option<bool>,
    done_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    tool_calls: Option<Vec<IgnoredAny>>,
}
