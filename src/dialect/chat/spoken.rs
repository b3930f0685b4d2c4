//! What is said in a request, as far as it is text: by the system, and last by the user.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Unreadable;
use super::super::json::{self, each};

const NO_TEXT: Unreadable = Unreadable("the messages have an unknown shape");

/// Who speaks for the system, in whatever dialect.
const SYSTEM: &[&str] = &["system", "developer", "SYSTEM"];

/// Who asks.
const USER: &[&str] = &["user", "USER"];

/// What is said in a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spoken<'a> {
    /// All that the system says, with a line feed between its parts.
    pub system: Cow<'a, str>,
    /// The last message of the user; `None` where there is none, or not all of it is text.
    pub user: Option<Cow<'a, str>>,
}

impl<'a> Spoken<'a> {
    /// A conversation's messages, and who speaks in one that does not say it.
    pub(super) fn conversation(json: &'a str, unsaid: &'static str) -> Result<Self, Unreadable> {
        let mut spoken = Self::default();
        spoken.hear(json, unsaid)?;
        Ok(spoken)
    }

    /// Hears a conversation's messages too.
    pub(super) fn hear(&mut self, json: &'a str, unsaid: &str) -> Result<(), Unreadable> {
        let (mut last, mut of_system) = (None, Ok(()));
        let read = each(json, |message: Message<'a>| {
            let role = message.role.as_deref().unwrap_or(unsaid);
            if USER.contains(&role) {
                last = Some(message);
            } else if SYSTEM.contains(&role)
                && let Some(content) = message.content
                && of_system.is_ok()
            {
                of_system = self.hear_system(content.get());
            }
        });
        read.ok_or(NO_TEXT)?;
        of_system?;
        if let Some(message) = last {
            self.user = message.text()?;
        }
        Ok(())
    }

    /// Adds what the system says: the texts of it.
    pub(super) fn hear_system(&mut self, content: &'a str) -> Result<(), Unreadable> {
        let Content { text, .. } = Content::read(content)?;
        if self.system.is_empty() {
            self.system = text;
        } else {
            let system = self.system.to_mut();
            system.push('\n');
            system.push_str(&text);
        }
        Ok(())
    }

    /// What the user says, if all of it is text.
    pub(super) fn hear_user(&mut self, content: &'a str) -> Result<(), Unreadable> {
        let Content { text, is_all } = Content::read(content)?;
        self.user = is_all.then_some(text);
        Ok(())
    }
}

/// A message, in whatever dialect.
#[derive(Debug, Deserialize)]
struct Message<'a> {
    role: Option<String>,
    #[serde(borrow, alias = "parts", alias = "message")]
    content: Option<&'a RawValue>,
    /// What Ollama has beside the content.
    #[serde(borrow)]
    images: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    fn text(&self) -> Result<Option<Cow<'a, str>>, Unreadable> {
        let Some(content) = self.content.filter(|_| self.images.is_none()) else { return Ok(None) };
        let Content { text, is_all } = Content::read(content.get())?;
        Ok(is_all.then_some(text))
    }
}

/// What a content says in words.
struct Content<'a> {
    text: Cow<'a, str>,
    /// Whether there is nothing else in it.
    is_all: bool,
}

impl<'a> Content<'a> {
    /// A text, or a list of parts.
    fn read(content: &'a str) -> Result<Self, Unreadable> {
        if content.starts_with('"') {
            let text = json::text(content).ok_or(NO_TEXT)?;
            return Ok(Self { text, is_all: true });
        }
        let (mut text, mut is_all, mut is_first) = (String::new(), true, true);
        let read = each(content, |part: Part| {
            let Some(words) = part.words() else {
                is_all = false;
                return;
            };
            if !is_first {
                text.push('\n');
            }
            text.push_str(words);
            is_first = false;
        });
        read.ok_or(NO_TEXT)?;
        Ok(Self { text: text.into(), is_all })
    }
}

/// A part of a content, in whatever dialect.
#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
}

impl Part {
    fn words(&self) -> Option<&str> {
        let is_text = matches!(self.kind.as_deref(), None | Some("text" | "input_text"));
        self.text.as_deref().filter(|_| is_text)
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::super::shape;
    use super::*;

    /// What the system says, and last the user.
    fn heard(dialect: &str, path: &str, body: &str) -> Option<(String, Option<String>)> {
        let shape = shape(dialect, &Method::POST, path).unwrap();
        let spoken = shape.spoken(path, body.as_bytes()).ok()?;
        Some((spoken.system.into_owned(), spoken.user.map(Cow::into_owned)))
    }

    const GEMINI: &str = "/models/m:generateContent";

    /// In each the system says `a`, then `b`, and the user at last `c`, then `d`.
    const HEARD: &[(&str, &str, &str)] = &[
        (
            "openai",
            "/chat/completions",
            r#"{"messages":[{"role":"system","content":"a"},{"role":"user","content":"x"},{"role":"assistant","content":"y"},{"role":"developer","content":[{"type":"text","text":"b"}]},{"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}]}"#,
        ),
        (
            "openai",
            "/responses",
            r#"{"instructions":"a","input":[{"role":"developer","content":"b"},{"type":"reasoning"},{"role":"user","content":[{"type":"input_text","text":"c\nd"}]}]}"#,
        ),
        (
            "anthropic",
            "/messages",
            r#"{"system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{}}],"messages":[{"role":"user","content":"c\nd"},{"role":"assistant","content":"{"}]}"#,
        ),
        (
            "gemini",
            GEMINI,
            r#"{"systemInstruction":{"parts":[{"text":"a"},{"text":"b"}]},"contents":[{"role":"model","parts":[{"text":"x"}]},{"parts":[{"text":"c"},{"text":"d"}]}]}"#,
        ),
        (
            "gemini",
            GEMINI,
            r#"{"system_instruction":{"parts":[{"text":"a\nb"}]},"contents":[{"role":"user","parts":[{"text":"c\nd"}]}]}"#,
        ),
        (
            "ollama",
            "/api/chat",
            r#"{"messages":[{"role":"system","content":"a\nb"},{"role":"user","content":"c\nd"}]}"#,
        ),
        ("ollama", "/api/generate", r#"{"system":"a\nb","prompt":"c\nd"}"#),
        (
            "cohere",
            "/chat",
            r#"{"messages":[{"role":"system","content":"a\nb"},{"role":"user","content":[{"type":"text","text":"c\nd"}]}]}"#,
        ),
        (
            "cohere",
            "/chat",
            r#"{"preamble":"a","chat_history":[{"role":"USER","message":"x"},{"role":"SYSTEM","message":"b"}],"message":"c\nd"}"#,
        ),
        (
            "mistral",
            "/chat/completions",
            r#"{"messages":[{"role":"system","content":[{"type":"text","text":"a\nb"}]},{"role":"user","content":"c\nd"}]}"#,
        ),
    ];

    #[test]
    fn every_shape_tells_the_system_from_the_user() {
        for (dialect, path, body) in HEARD {
            let right = ("a\nb".to_owned(), Some("c\nd".to_owned()));
            assert_eq!(heard(dialect, path, body), Some(right), "{dialect} {path} {body}");
        }
        for body in [r#"{"prompt":"c"}"#, r#"{"prompt":["c"]}"#] {
            let right = (String::new(), Some("c".to_owned()));
            assert_eq!(heard("openai", "/completions", body), Some(right));
        }
    }

    #[test]
    fn a_message_that_is_not_all_text_is_none() {
        for (dialect, path, body) in [
            (
                "openai",
                "/chat/completions",
                r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}}]}]}"#,
            ),
            ("openai", "/chat/completions", r#"{"messages":[{"role":"user","content":null}]}"#),
            ("openai", "/chat/completions", r#"{"messages":[]}"#),
            ("openai", "/chat/completions", "{}"),
            ("openai", "/completions", r#"{"prompt":["a","b"]}"#),
            ("openai", "/completions", r#"{"prompt":[1,2]}"#),
            (
                "anthropic",
                "/messages",
                r#"{"messages":[{"role":"user","content":"x"},{"role":"user","content":[{"type":"tool_result","content":"a"}]}]}"#,
            ),
            ("gemini", GEMINI, r#"{"contents":[{"parts":[{"inlineData":{}},{"text":"a"}]}]}"#),
            (
                "ollama",
                "/api/chat",
                r#"{"messages":[{"role":"user","content":"a","images":["x"]}]}"#,
            ),
            ("ollama", "/api/generate", r#"{"prompt":"a","images":["x"]}"#),
            ("cohere", "/chat", r#"{"chat_history":[{"role":"USER","message":"a"}]}"#),
        ] {
            assert_eq!(heard(dialect, path, body), Some((String::new(), None)), "{path} {body}");
        }
    }

    #[test]
    fn what_cannot_be_read_exactly_is_not_heard() {
        for body in [
            r#"{"messages":"a"}"#,
            r#"{"messages":[{"role":"user","role":"system","content":"a"}]}"#,
            r#"{"messages":[{"role":"user","content":"a","parts":"b"}]}"#,
            r#"{"messages":[{"role":"user","content":"\ud800"}]}"#,
            r#"{"messages":[{"role":"user","content":7}]}"#,
            r#"{"messages":[{"role":"system","content":[[]]}]}"#,
            r#"{"messages":[],"messages":[]}"#,
        ] {
            assert_eq!(heard("openai", "/chat/completions", body), None, "{body}");
        }
        let both = r#"{"systemInstruction":{"parts":[]},"system_instruction":{"parts":[]}}"#;
        assert_eq!(heard("gemini", GEMINI, both), None);
    }
}
