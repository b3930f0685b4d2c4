//! Ollama's `/api/chat` and `/api/generate`, a line of JSON for each piece.

use http::StatusCode;

use super::{Asked, Fields, Said, Shape};

/// `/api/chat`.
pub(super) const CHAT: Lines =
    Lines(|text| format!("\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}}"));

/// `/api/generate`.
pub(super) const GENERATE: Lines = Lines(|text| format!("\"response\":\"{text}\""));

/// Either, by how a text stands in a line.
pub(super) struct Lines(fn(&str) -> String);

impl Shape for Lines {
    fn read<'a>(&self, _path: &'a str, body: &'a [u8]) -> Option<Asked<'a>> {
        Fields::read(body, true)
    }

    fn whole(&self, said: &Said) -> String {
        self.line(said, &said.words.concat(), true)
    }

    fn pieces(&self, said: &Said) -> Vec<String> {
        let words = said.words.iter().map(|word| self.line(said, word, false) + "\n");
        words.chain([self.line(said, "", true) + "\n"]).collect()
    }

    fn error(&self, _status: StatusCode, message: &str) -> String {
        format!("{{\"error\":\"{message}\"}}")
    }

    fn media_type(&self) -> &'static str {
        "application/x-ndjson"
    }
}

impl Lines {
    fn line(&self, said: &Said, text: &str, last: bool) -> String {
        let Said { model, words, bill, .. } = said;
        let prompt_tokens = bill.prompt.sum();
        let end = if last {
            format!(
                "true,\"done_reason\":\"stop\",\"prompt_eval_count\":{prompt_tokens},\
                 \"eval_count\":{}",
                words.len()
            )
        } else {
            "false".to_owned()
        };
        format!(
            "{{\"model\":{model},\"created_at\":\"2026-01-01T00:00:00Z\",{},\"done\":{end}}}",
            (self.0)(text)
        )
    }
}
