//! Gemini's `:generateContent`, and `:streamGenerateContent` as events.

use http::StatusCode;

use super::{Asked, Fields, Said, Shape};

/// Both: the verb of the path says how the answer comes.
pub(super) struct Generate;

impl Shape for Generate {
    fn read<'a>(&self, path: &'a str, body: &'a [u8]) -> Option<Asked<'a>> {
        let (resource, verb) = path.rsplit_once(':')?;
        let fields: Fields<'a> = serde_json::from_slice(body).ok()?;
        Some(Asked {
            model: resource.rsplit_once('/')?.1.to_owned(),
            conversation: fields.messages?.get(),
            streamed: verb.starts_with("stream"),
        })
    }

    fn whole(&self, said: &Said) -> String {
        part(said, &said.words.concat(), true)
    }

    fn pieces(&self, said: &Said) -> Vec<String> {
        let event = |json: String| format!("data: {json}\r\n\r\n");
        let mut pieces: Vec<String> =
            said.words.iter().map(|word| event(part(said, word, false))).collect();
        pieces.push(event(part(said, "", true)));
        pieces
    }

    fn error(&self, status: StatusCode, message: &str) -> String {
        let code = status.as_u16();
        let name = match code {
            400 => "INVALID_ARGUMENT",
            429 => "RESOURCE_EXHAUSTED",
            _ => "INTERNAL",
        };
        format!("{{\"error\":{{\"code\":{code},\"message\":\"{message}\",\"status\":\"{name}\"}}}}")
    }
}

fn part(said: &Said, text: &str, last: bool) -> String {
    let Said { id, model, bill, .. } = said;
    let reason = if last { ",\"finishReason\":\"STOP\"" } else { "" };
    let (prompt, cached, total) = (bill.prompt.sum(), bill.prompt.read, bill.tokens());
    let (tokens, thoughts) = (bill.output, bill.thinking);
    format!(
        "{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}],\
         \"role\":\"model\"}}{reason},\"index\":0}}],\
         \"usageMetadata\":{{\"promptTokenCount\":{prompt},\
         \"cachedContentTokenCount\":{cached},\"candidatesTokenCount\":{tokens},\
         \"thoughtsTokenCount\":{thoughts},\"totalTokenCount\":{total}}},\
         \"modelVersion\":{model},\"responseId\":\"{id}\"}}"
    )
}
