//! The usage that a call is billed by, and its spelling in `OpenAI`'s shapes.

use serde_json::Value;

use super::oracle;
use super::prompt_cache::{Prompt, PromptCache};

/// The usage of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bill {
    pub(super) prompt: Prompt,
    /// Tokens of text that the model wrote.
    pub(super) output: u64,
    /// Tokens that it spent on reasoning, besides the text.
    pub(super) thinking: u64,
    /// The service tier that the call asked for.
    pub(super) tier: Option<Tier>,
}

/// A service tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Default,
    Flex,
    Priority,
}

impl Tier {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }
}

impl Bill {
    /// The bill of a call for embeddings.
    pub(super) fn of_input(tokens: u64) -> Self {
        let prompt = Prompt { fresh: tokens, ..Prompt::default() };
        Self { prompt, output: 0, thinking: 0, tier: None }
    }

    /// The bill of a call for a completion of so many words.
    pub(super) fn of_chat(
        cache: &PromptCache,
        (model, conversation): (&str, &str),
        (body, words): (&[u8], usize),
    ) -> Self {
        let prompt = if has(body, b"cache_control") {
            cache.marked(model, body)
        } else {
            cache.automatic(model, conversation)
        };
        let thinks = [&b"\"reasoning_effort\""[..], b"\"reasoning\"", b"\"thinkingConfig\""];
        let thinking = if thinks.iter().any(|name| has(body, name)) {
            oracle::chat_seed(model, conversation) % 64
        } else {
            0
        };
        Self { prompt, output: words as u64, thinking, tier: tier(body) }
    }

    /// Input and output.
    pub(super) fn tokens(&self) -> u64 {
        self.prompt.sum() + self.completion()
    }

    /// All tokens that the model wrote.
    pub(super) fn completion(&self) -> u64 {
        self.output + self.thinking
    }

    /// The tier as a member of a response; nothing where the call did not ask for one.
    pub(super) fn tier_member(&self) -> String {
        self.tier.map_or_else(String::new, |tier| format!(",\"service_tier\":\"{}\"", tier.text()))
    }

    /// The usage of `/v1/chat/completions`.
    pub(super) fn chat_usage(&self, model: &str) -> String {
        let Prompt { fresh, read, written, .. } = self.prompt;
        let (prompt, completion, thinking) = (self.prompt.sum(), self.completion(), self.thinking);
        let total = self.tokens();
        let own = if model.contains("deepseek") {
            format!(",\"prompt_cache_hit_tokens\":{read},\"prompt_cache_miss_tokens\":{fresh}")
        } else {
            String::new()
        };
        format!(
            "{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},\"total_tokens\":{total},\
             \"prompt_tokens_details\":{{\"cached_tokens\":{read},\"cache_write_tokens\":{written},\
             \"audio_tokens\":0}},\"completion_tokens_details\":{{\"reasoning_tokens\":{thinking},\
             \"audio_tokens\":0}}{own}}}"
        )
    }

    /// The usage of `/v1/responses`.
    pub(super) fn response_usage(&self) -> String {
        let Prompt { read, written, .. } = self.prompt;
        let (prompt, completion, thinking) = (self.prompt.sum(), self.completion(), self.thinking);
        let total = self.tokens();
        format!(
            "{{\"input_tokens\":{prompt},\"output_tokens\":{completion},\"total_tokens\":{total},\
             \"input_tokens_details\":{{\"cached_tokens\":{read},\"cache_write_tokens\":{written}}},\
             \"output_tokens_details\":{{\"reasoning_tokens\":{thinking}}}}}"
        )
    }
}

fn has(body: &[u8], name: &[u8]) -> bool {
    body.windows(name.len()).any(|window| window == name)
}

fn tier(body: &[u8]) -> Option<Tier> {
    if !has(body, b"service_tier") {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    match body.get("service_tier")?.as_str()? {
        "flex" => Some(Tier::Flex),
        "priority" => Some(Tier::Priority),
        _ => Some(Tier::Default),
    }
}
