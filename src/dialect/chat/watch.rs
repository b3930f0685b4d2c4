//! What an answer has said so far about its end.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::Value;

/// The most choices that are kept count of; an answer with more is not one that is kept.
pub(super) const MOST_CHOICES: usize = 128;

/// Why an answer is not to be given to anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoilt {
    /// It is not in the shape of its endpoint.
    Unreadable,
    /// It tells of an error.
    Error,
    /// It ended for another reason than being complete: a limit, a filter, a call of a tool.
    Reason,
    /// The model declined.
    Refused,
    /// It lacks its end, or the end of a choice.
    Unfinished,
}

/// Tokens that a model read and wrote, in the words of `OpenAI`, of Anthropic and Cohere, of Gemini, of
/// Ollama. What Anthropic reads from or writes to its cache is counted by itself, and is not in it.
const INPUT: &[&str] = &["prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count"];
const OUTPUT: &[&str] =
    &["completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count"];

/// Tokens that an answer is said to have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// That the model read.
    pub input: Option<u64>,
    /// That it wrote.
    pub output: Option<u64>,
}

/// A count of a usage, or of the `tokens` in it, where Cohere has them; Cohere's are printed with a
/// fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of tokens")]
fn count(usage: &Value, name: &str) -> Option<u64> {
    let found = usage.get(name).or_else(|| usage.get("tokens")?.get(name))?;
    found
        .as_u64()
        .or_else(|| found.as_f64().filter(|count| *count >= 0.0).map(|count| count as u64))
}

/// What stands in each of their names.
static HINTS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["oken", "eval_count"].map(Finder::new));

/// How long a count is at the most, with its name: nothing that is cut off by this much is one.
pub const LONGEST_COUNT: usize = 64;

/// Whether a part of an answer, of whole lines, may say what it used: most say nothing of it.
pub fn may_be_used(part: &[u8]) -> bool {
    HINTS.iter().any(|hint| hint.find(part).is_some())
}

/// What an answer says that it used, by the last counts in a part of it that need not be whole. In a
/// text that quotes them they stand with backslashes.
pub fn used(part: &[u8]) -> Used {
    let count = |names: &[&str]| names.iter().find_map(|name| last_count(part, name));
    Used { input: count(INPUT), output: count(OUTPUT) }
}

fn last_count(part: &[u8], name: &str) -> Option<u64> {
    // Forwards, which is searched much faster, and for the most part in vain.
    let rest = |at: usize| {
        let is_begun = part.get(..at)?.ends_with(b"\"");
        let rest = part.get(at + name.len()..)?.strip_prefix(b"\"")?;
        is_begun.then_some(rest)
    };
    let rest = memchr::memmem::find_iter(part, name.as_bytes()).filter_map(rest).last()?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

/// An answer under watch.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// By their number, whether each choice that was seen is complete.
    choices: BTreeMap<u64, bool>,
    ended: bool,
    spoilt: Option<Spoilt>,
    used: Used,
}

impl Watch {
    /// An answer with nothing in it yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is wrong with it already.
    pub fn spoilt(&self) -> Option<Spoilt> {
        self.spoilt
    }

    /// What it is said to have used, so far.
    pub fn used(&self) -> Used {
        self.used
    }

    /// A count came; what comes later says more.
    pub(super) fn uses(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        let count = |names: &[&str]| names.iter().find_map(|name| count(usage, name));
        self.used.input = count(INPUT).or(self.used.input);
        self.used.output = count(OUTPUT).or(self.used.output);
    }

    /// Whether an answer that ends here is complete, with so many choices.
    pub fn verdict(&self, choices: u64) -> Result<(), Spoilt> {
        let complete = self.choices.len() as u64 == choices && self.choices.values().all(|c| *c);
        match self.spoilt {
            Some(spoilt) => Err(spoilt),
            None if self.ended && complete => Ok(()),
            None => Err(Spoilt::Unfinished),
        }
    }

    /// A part of a choice came, and with it maybe the reason for its end.
    pub(super) fn choice(&mut self, number: u64, reason: Option<&str>, good: &[&str]) {
        let is_one_more = !self.choices.contains_key(&number);
        if self.ended || (is_one_more && self.choices.len() >= MOST_CHOICES) {
            return self.spoil(Spoilt::Unreadable);
        }
        let complete = self.choices.entry(number).or_default();
        match reason {
            Some(reason) if good.contains(&reason) => *complete = true,
            Some(_) => self.spoil(Spoilt::Reason),
            None => {}
        }
    }

    /// The mark of the end came.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the mark of the end came.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a frame comes after the end, where only `OpenAI`'s mark may: some add it to the mark of
    /// their own.
    pub(super) fn is_after_end(&mut self, data: &[u8]) -> bool {
        if self.ended && data != b"[DONE]" {
            self.spoil(Spoilt::Unreadable);
        }
        self.ended
    }

    /// Something is wrong; what was wrong first counts.
    pub(super) fn spoil(&mut self, spoilt: Spoilt) {
        self.spoilt.get_or_insert(spoilt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_one_that_may_be_told() {
        for name in INPUT.iter().chain(OUTPUT) {
            assert!(may_be_used(name.as_bytes()), "{name}");
            assert!(name.len() + r#""": "#.len() + u64::MAX.to_string().len() < LONGEST_COUNT);
        }
    }
}
