//! Gemini's `:generateContent` and `:streamGenerateContent`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::Unreadable;
use super::fields::Fields;
use super::{Answering, ChatShape, Spoilt, Spoken, Watch, Written, world, write};
use crate::request::{ChatRequest, Framing, Sharing};

/// Whether a path is one of the two.
pub(super) fn is_generate(path: &str) -> bool {
    let named = path.starts_with("/models/") || path.starts_with("/tunedModels/");
    named && path.rsplit_once(':').is_some_and(|(_, verb)| verb.ends_with("enerateContent"))
}

/// Both: the verb of the path says how the answer comes.
#[derive(Debug)]
pub(super) struct Generate;

impl ChatShape for Generate {
    fn read(&self, path_and_query: &str, body: &[u8]) -> Result<ChatRequest, Unreadable> {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let (resource, verb) = path.rsplit_once(':').ok_or(Unreadable("no method in the path"))?;
        let fields = Fields::read(body)?;
        if fields.any(&["generation_config", "cached_content"]) {
            return Err(Unreadable("a field in the other spelling"));
        }
        let config = fields.inner("generationConfig")?;
        if config.any(&["candidate_count", "response_modalities"]) {
            return Err(Unreadable("a field in the other spelling"));
        }
        let streamed = verb == "streamGenerateContent";
        let array = streamed && !asks_for_events(query);
        let choices = config.value("candidateCount")?.unwrap_or(1);
        let model = resource.rsplit_once('/').map_or(resource, |(_, model)| model).to_owned();
        let sharing =
            if array { Sharing::Never("array") } else { sharing(&fields, &config, &model) };
        Ok(ChatRequest { model, framing: streamed.then_some(Framing::Events), choices, sharing })
    }

    fn spoken<'a>(&self, _path: &str, body: &'a [u8]) -> Result<Spoken<'a>, Unreadable> {
        let fields = Fields::read(body)?;
        let mut spoken = Spoken::default();
        // Either spelling is taken; of both nobody knows which one counts.
        match (fields.raw("systemInstruction"), fields.raw("system_instruction")) {
            (Some(_), Some(_)) => return Err(Unreadable("a field in both spellings")),
            (Some(content), None) | (None, Some(content)) => {
                let parts = Fields::read(content.as_bytes())?.raw("parts");
                spoken.hear_system(parts.unwrap_or("[]"))?;
            }
            (None, None) => {}
        }
        spoken.hear(fields.raw("contents").unwrap_or("[]"), "user")?;
        Ok(spoken)
    }

    fn model_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        let (resource, _) = path.rsplit_once(':')?;
        Some(resource.rsplit_once('/').map_or(resource, |(_, model)| model))
    }

    fn write(&self, answering: &Answering<'_>) -> Option<Written> {
        let (_, query) = answering.path_and_query.split_once('?').unwrap_or_default();
        Some(write::gemini::answer(answering, asks_for_events(query)))
    }

    fn whole(&self, body: &[u8], watch: &mut Watch) {
        judge(body, watch);
        watch.end();
    }

    fn frame(&self, _event: &[u8], data: &[u8], watch: &mut Watch) {
        // There is no mark of the end but the reasons of the candidates.
        judge(data, watch);
    }

    fn end(&self, watch: &mut Watch) {
        watch.end();
    }
}

/// Whether a stream is to come as events, and not as a list.
fn asks_for_events(query: &str) -> bool {
    query.split('&').any(|pair| pair == "alt=sse")
}

fn sharing(fields: &Fields<'_>, config: &Fields<'_>, model: &str) -> Sharing {
    let modalities = config.raw("responseModalities").unwrap_or_default();
    if fields.says("cachedContent") {
        Sharing::Never("state")
    } else if ["AUDIO", "IMAGE", "VIDEO"].iter().any(|other| modalities.contains(other)) {
        Sharing::Never("audio")
    } else if fields.says("tools") {
        Sharing::Drawn("tools")
    } else if world::depends(fields, model) {
        Sharing::Drawn("search")
    } else if !config.is_zero("temperature") {
        Sharing::Drawn("temperature")
    } else if !matches!(config.raw("candidateCount"), None | Some("1")) {
        Sharing::Drawn("n")
    } else {
        Sharing::Deterministic
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    error: Option<IgnoredAny>,
    prompt_feedback: Option<Feedback>,
    #[serde(default)]
    candidates: Vec<Candidate>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    index: Option<u64>,
    finish_reason: Option<String>,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    function_call: Option<IgnoredAny>,
}

fn judge(json: &[u8], watch: &mut Watch) {
    let Ok(answer) = serde_json::from_slice::<Answer>(json) else {
        return watch.spoil(Spoilt::Unreadable);
    };
    if answer.error.is_some() {
        watch.spoil(Spoilt::Error);
    }
    if answer.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
        watch.spoil(Spoilt::Refused);
    }
    for candidate in answer.candidates {
        // A call of a function ends with the same reason as a text.
        let parts = candidate.content.iter().flat_map(|content| &content.parts);
        if parts.into_iter().any(|part| part.function_call.is_some()) {
            watch.spoil(Spoilt::Reason);
        }
        let number = candidate.index.unwrap_or(0);
        watch.choice(number, candidate.finish_reason.as_deref(), &["STOP"]);
    }
}
