//! Usage that a provider reports in a response: tokens by kind, the service tier, and what else it bills.
//!
//! It reads the bytes of responses and nothing else of them: no content, and no member that is not listed in
//! `members`. It must not know prices.
//!
//! The kinds of tokens are disjoint. Providers count differently: a cached token is part of `prompt_tokens`
//! at `OpenAI`, and beside `input_tokens` at Anthropic.

mod members;
mod places;
mod reading;
mod scan;
#[cfg(test)]
mod tests;

pub use reading::{Layout, Reported, UsageReader};

/// A kind of tokens. Each has a price of its own, and each token is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Input at the full price.
    Input,
    /// Input that was read from the provider's prompt cache.
    CacheRead,
    /// Input that was written to the provider's prompt cache, for five minutes at Anthropic.
    CacheWrite,
    /// Input that was written to the provider's prompt cache for an hour.
    CacheWrite1h,
    /// Input as audio.
    AudioInput,
    /// Output as text.
    Output,
    /// Output that the model spent on reasoning.
    Thinking,
    /// Output as audio.
    AudioOutput,
}

impl Kind {
    /// Every kind, in the order of [`Tokens`].
    pub const ALL: [Self; 8] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::AudioInput,
        Self::Output,
        Self::Thinking,
        Self::AudioOutput,
    ];

    /// The value of the label `type`, and the member in JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::AudioInput => "audio_input",
            Self::Output => "output",
            Self::Thinking => "thinking",
            Self::AudioOutput => "audio_output",
        }
    }

    /// Whether the model read them.
    pub fn is_input(self) -> bool {
        !matches!(self, Self::Output | Self::Thinking | Self::AudioOutput)
    }
}

/// Numbers of tokens by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens([u64; Kind::ALL.len()]);

impl Tokens {
    /// Tokens of one kind.
    #[must_use]
    pub fn of(kind: Kind, number: u64) -> Self {
        Self::default().with(kind, number)
    }

    /// The same with another number of one kind.
    #[must_use]
    pub fn with(mut self, kind: Kind, number: u64) -> Self {
        if let Some(slot) = self.0.get_mut(kind as usize) {
            *slot = number;
        }
        self
    }

    /// The number of one kind.
    #[must_use]
    pub fn get(&self, kind: Kind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or(0)
    }

    /// Each kind with its number.
    pub fn each(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().zip(self.0)
    }

    /// The sums of two, kind by kind.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let sum = |sum: Self, (kind, number)| sum.with(kind, sum.get(kind).saturating_add(number));
        other.each().fold(self, sum)
    }

    /// Tokens that the model read, of all kinds.
    #[must_use]
    pub fn input(&self) -> u64 {
        self.sum_of(Kind::is_input)
    }

    /// Tokens that the model wrote, of all kinds.
    #[must_use]
    pub fn output(&self) -> u64 {
        self.sum_of(|kind| !kind.is_input())
    }

    /// All tokens.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum_of(|_| true)
    }

    fn sum_of(&self, counts: impl Fn(Kind) -> bool) -> u64 {
        let counted = self.each().filter(|(kind, _)| counts(*kind));
        counted.fold(0, |sum, (_, number)| sum.saturating_add(number))
    }
}

/// The service tier that a response was billed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tier {
    /// The list price, also of responses that name no tier.
    #[default]
    Standard,
    /// Slower and cheaper.
    Flex,
    /// Faster and dearer.
    Priority,
    /// A tier without a list price, such as a reserved one.
    Other,
}

impl Tier {
    /// The tier of a provider's word for it, in any case.
    pub fn parse(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "default"
            | "standard"
            | "auto"
            | "on_demand"
            | "traffic_type_unspecified"
            | "unspecified" => Self::Standard,
            "flex" | "on_demand_flex" => Self::Flex,
            "priority" | "on_demand_priority" => Self::Priority,
            _ => Self::Other,
        }
    }
}

/// Usage that a provider bills for one call.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Tokens by kind.
    pub tokens: Tokens,
    /// Search units of a rerank, or searches that a model made.
    pub searches: u64,
    /// The service tier.
    pub tier: Tier,
    /// Anthropic's fast mode, which has a factor of its own.
    pub is_fast: bool,
    /// Inference within the United States only, which has a factor of its own at Anthropic.
    pub is_us: bool,
    /// US dollars, where the provider reports them (`OpenRouter`, Perplexity, `DeepInfra`).
    pub dollars: Option<f64>,
}

impl Usage {
    /// Plain input tokens, as embeddings have them.
    #[must_use]
    pub fn of_input(tokens: u64) -> Self {
        Self { tokens: Tokens::of(Kind::Input, tokens), ..Self::default() }
    }
}
