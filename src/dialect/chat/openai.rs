//! `/chat/completions` and `/completions`, as `OpenAI` has them and nearly everybody else.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::super::Unreadable;
use super::super::json::each;
use super::fields::Fields;
use super::{Answering, ChatShape, Spoilt, Spoken, Watch, Written, deployment, world, write};
use crate::request::{ChatRequest, Framing, Sharing};

/// Who asks, and how the provider is to keep its own cache: no answer depends on it.
const NOT_ASKED: &[&str] = &[
    "user",
    "safety_identifier",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
];

/// Members whose calls may have an effect.
const TOOLS: &[&str] = &["tools", "functions"];

/// Reasons for an end that is complete.
const COMPLETE: &[&str] = &["stop"];

/// `/chat/completions`.
#[derive(Debug)]
pub(super) struct ChatCompletions;

impl ChatShape for ChatCompletions {
    fn not_asked(&self) -> &'static [&'static str] {
        NOT_ASKED
    }

    fn read(&self, _path: &str, body: &[u8]) -> Result<ChatRequest, Unreadable> {
        read(body, |_| Ok(1))
    }

    fn spoken<'a>(&self, _path: &str, body: &'a [u8]) -> Result<Spoken<'a>, Unreadable> {
        Spoken::conversation(Fields::read(body)?.raw("messages").unwrap_or("[]"), "")
    }

    fn model_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        deployment(path)
    }

    fn write(&self, answering: &Answering<'_>) -> Option<Written> {
        write::openai::chat(answering)
    }

    fn whole(&self, body: &[u8], watch: &mut Watch) {
        whole(body, watch);
    }

    fn frame(&self, _event: &[u8], data: &[u8], watch: &mut Watch) {
        frame(data, watch);
    }
}

/// `/completions`, and Mistral's for code.
#[derive(Debug)]
pub(super) struct Completions;

impl ChatShape for Completions {
    fn not_asked(&self) -> &'static [&'static str] {
        NOT_ASKED
    }

    fn read(&self, _path: &str, body: &[u8]) -> Result<ChatRequest, Unreadable> {
        read(body, prompts)
    }

    fn spoken<'a>(&self, _path: &str, body: &'a [u8]) -> Result<Spoken<'a>, Unreadable> {
        let mut spoken = Spoken::default();
        if let Some(prompt) = Fields::read(body)?.raw("prompt").and_then(only_text) {
            spoken.hear_user(prompt)?;
        }
        Ok(spoken)
    }

    fn model_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        deployment(path)
    }

    fn write(&self, answering: &Answering<'_>) -> Option<Written> {
        let path = answering.path_and_query.split('?').next().unwrap_or_default();
        // Mistral's for code is answered as a conversation is.
        if path.ends_with("/fim/completions") {
            write::openai::chat(answering)
        } else {
            write::openai::text(answering)
        }
    }

    fn whole(&self, body: &[u8], watch: &mut Watch) {
        whole(body, watch);
    }

    fn frame(&self, _event: &[u8], data: &[u8], watch: &mut Watch) {
        frame(data, watch);
    }
}

fn read(
    body: &[u8],
    prompts: impl Fn(&Fields<'_>) -> Result<u64, Unreadable>,
) -> Result<ChatRequest, Unreadable> {
    let fields = Fields::read(body)?;
    let streamed = fields.value("stream")?.unwrap_or(false);
    let each: u64 = fields.value("n")?.unwrap_or(1);
    let model: String = fields.value("model")?.unwrap_or_default();
    Ok(ChatRequest {
        framing: streamed.then_some(Framing::Events),
        choices: each.saturating_mul(prompts(&fields)?),
        sharing: sharing(&fields, &model, each),
        model,
    })
}

fn sharing(fields: &Fields<'_>, model: &str, each: u64) -> Sharing {
    let modalities = fields.raw("modalities").unwrap_or_default();
    if fields.says("store") {
        Sharing::Never("state")
    } else if fields.says("audio") || modalities.contains("audio") {
        Sharing::Never("audio")
    } else if fields.any(TOOLS) {
        Sharing::Drawn("tools")
    } else if world::depends(fields, model) {
        Sharing::Drawn("search")
    } else if !fields.is_zero("temperature") {
        Sharing::Drawn("temperature")
    } else if each != 1 {
        Sharing::Drawn("n")
    } else {
        Sharing::Deterministic
    }
}

/// How many texts are to be completed: a text or a list of tokens is one.
fn prompts(fields: &Fields<'_>) -> Result<u64, Unreadable> {
    let text = fields.raw("prompt").unwrap_or_default();
    let first = text.strip_prefix('[').and_then(|rest| rest.trim_start().bytes().next());
    if !matches!(first, Some(b'"' | b'[')) {
        return Ok(1);
    }
    let items: Option<Vec<IgnoredAny>> = fields.value("prompt")?;
    Ok(items.map_or(1, |items| items.len() as u64))
}

/// The text that is to be completed, if it is one, by itself or in a list.
fn only_text(prompt: &str) -> Option<&str> {
    let is_text = |json: &&str| json.starts_with('"');
    if is_text(&prompt) {
        return Some(prompt);
    }
    let (mut last, mut count) = (None, 0_u64);
    each(prompt, |item: &RawValue| {
        (last, count) = (Some(item.get()), count + 1);
    })?;
    last.filter(|last| count == 1 && is_text(last))
}

/// An answer, or a part of one.
#[derive(Debug, Deserialize)]
struct Answer {
    choices: Option<Vec<Choice>>,
    error: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    index: Option<u64>,
    finish_reason: Option<String>,
    message: Option<Said>,
    delta: Option<Said>,
}

#[derive(Debug, Deserialize)]
struct Said {
    refusal: Option<String>,
    tool_calls: Option<Vec<IgnoredAny>>,
    function_call: Option<IgnoredAny>,
}

fn whole(body: &[u8], watch: &mut Watch) {
    answer(body, watch);
    watch.end();
}

fn frame(data: &[u8], watch: &mut Watch) {
    if data == b"[DONE]" {
        watch.end();
    } else {
        answer(data, watch);
    }
}

fn answer(json: &[u8], watch: &mut Watch) {
    let Ok(answer) = serde_json::from_slice::<Answer>(json) else {
        return watch.spoil(Spoilt::Unreadable);
    };
    let (None, Some(choices)) = (answer.error, answer.choices) else {
        return watch.spoil(Spoilt::Error);
    };
    for choice in choices {
        for said in [&choice.message, &choice.delta].into_iter().flatten() {
            said.judge(watch);
        }
        watch.choice(choice.index.unwrap_or(0), choice.finish_reason.as_deref(), COMPLETE);
    }
}

impl Said {
    fn judge(&self, watch: &mut Watch) {
        if self.refusal.as_ref().is_some_and(|refusal| !refusal.is_empty()) {
            watch.spoil(Spoilt::Refused);
        }
        let calls = self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty());
        if calls || self.function_call.is_some() {
            watch.spoil(Spoilt::Reason);
        }
    }
}
