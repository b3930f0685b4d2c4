//! `LiteLLM`'s lines: its `StandardLoggingPayload`, which has the request in parts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{EMBEDDINGS, MESSAGES, PROMPTS, Place, Request, Said, Unfit, number, read_raw, text};

/// What `LiteLLM` writes in the place of a text that it was told to keep to itself, and into one that
/// it has shortened.
const MARKS: &[&str] = &["redacted-by-litellm", "litellm_truncated"];

/// Members that are the question's own, whatever the parameters say.
const OWN: &[&str] = &["model", "input", "messages", "prompt"];

#[derive(Debug, Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    call_type: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    custom_llm_provider: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    model_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    response_cost: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_hit: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

/// The request that a payload tells of, put together again.
pub(super) fn read(line: &[u8]) -> Result<Request<'_>, Unfit> {
    let payload: Payload<'_> = serde_json::from_slice(line).map_err(|_| Unfit::Unknown)?;
    let (member, paths) = match payload.call_type.and_then(text).as_deref() {
        Some("embedding" | "aembedding") => ("input", EMBEDDINGS),
        Some("completion" | "acompletion") => ("messages", MESSAGES),
        Some("text_completion" | "atext_completion") => ("prompt", PROMPTS),
        // What is particular to others is not in the payload.
        Some(_) => return Err(Unfit::Withheld),
        None => return Err(Unfit::Unknown),
    };
    if payload.status.and_then(text).as_deref() == Some("failure") {
        return Err(Unfit::Failed);
    }
    let asked = payload.input.or(payload.messages).ok_or(Unfit::Withheld)?.get();
    if MARKS.iter().any(|mark| asked.contains(mark)) {
        return Err(Unfit::Withheld);
    }
    let asked = if member == "messages" { Cow::Borrowed(asked) } else { texts(asked) };
    let model = payload.model.ok_or(Unfit::Withheld)?.get();
    let provider = payload.custom_llm_provider.and_then(text);
    let body = payload.body([("model", model), (member, &asked)]);
    Ok(Request { place: Place::Guessed(provider, paths), body: body.into(), said: payload.said() })
}

impl<'a> Payload<'a> {
    /// The request's body: what was asked, then the parameters that were set.
    fn body(&self, asked: [(&str, &str); 2]) -> Vec<u8> {
        let parameters: Option<BTreeMap<Cow<'a, str>, Option<&'a RawValue>>> =
            self.model_parameters.and_then(read_raw);
        let mut parameters = parameters.unwrap_or_default();
        parameters.retain(|name, _| !OWN.contains(&name.as_ref()));
        if self.stream.is_some_and(|stream| stream.get() == "true") {
            parameters.entry(Cow::Borrowed("stream")).or_insert(self.stream);
        }
        let set = parameters.iter().filter_map(|(name, value)| Some((&**name, (*value)?.get())));
        let mut body = Vec::with_capacity(asked.iter().map(|(_, json)| json.len()).sum::<usize>());
        for (at, (name, json)) in asked.into_iter().chain(set).enumerate() {
            body.push(if at == 0 { b'{' } else { b',' });
            serde_json::to_writer(&mut body, name).expect("writing to a Vec cannot fail");
            body.push(b':');
            body.extend(json.as_bytes());
        }
        body.push(b'}');
        body
    }

    fn said(&self) -> Said {
        let tokens = self.prompt_tokens.and_then(read_raw::<u64>);
        let cached = self.cache_hit.is_some_and(|hit| matches!(hit.get(), "true" | "\"True\""));
        Said {
            tokens: tokens.filter(|tokens| *tokens > 0),
            cost: self.response_cost.and_then(number),
            answer: self.response.map(|response| response.get().len()),
            cached,
        }
    }
}

/// Texts as they were asked for: `LiteLLM` logs each as a message of a user.
fn texts(asked: &str) -> Cow<'_, str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Message<'m> {
        #[serde(borrow)]
        role: Cow<'m, str>,
        #[serde(borrow)]
        content: &'m RawValue,
    }
    let Ok(messages) = serde_json::from_str::<Vec<Message<'_>>>(asked) else {
        return Cow::Borrowed(asked);
    };
    let is_text =
        |message: &Message<'_>| message.role == "user" && message.content.get().starts_with('"');
    if messages.is_empty() || !messages.iter().all(is_text) {
        return Cow::Borrowed(asked);
    }
    let texts: Vec<&str> = messages.iter().map(|message| message.content.get()).collect();
    match texts.as_slice() {
        [text] => Cow::Owned((*text).to_owned()),
        texts => Cow::Owned(format!("[{}]", texts.join(","))),
    }
}
