//! The members of a response that say what it used, by provider, and their meaning.
//!
//! Sources: the API references of `OpenAI` (chat completions, responses), Anthropic (messages, prompt
//! caching), Google (`GenerateContentResponse.UsageMetadata`), Cohere (chat, embed, rerank), `DeepSeek`,
//! xAI, Perplexity, Moonshot, `OpenRouter` (usage accounting), `DeepInfra`, Ollama. Read in November 2026.

use serde_json::Value;

use super::{Kind, Tier, Tokens, Usage};

/// A count in a usage object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Input, with all that is within it.
    Prompt,
    /// Input and output.
    Total,
    /// Cached input within the prompt.
    CachedWithin,
    /// Input within the prompt that was written to the cache.
    WrittenWithin,
    /// Cached input beside the prompt.
    CachedBeside,
    /// Input beside the prompt that was written to the cache.
    WrittenBeside,
    /// The part of the writes that is for an hour.
    WrittenForAnHour,
    /// Input beside the prompt: results of Google's tools, images at Cohere.
    Beside,
    /// Audio within the prompt.
    AudioInput,
    /// Audio within the cached input.
    CachedAudio,
    /// Output, with all that is within it.
    Completion,
    /// Reasoning within the output; beside it where the total says so.
    Reasoning,
    /// Reasoning beside the output.
    ThoughtsBeside,
    /// Audio within the output.
    AudioOutput,
    /// Search units, or searches.
    Searches,
}

const COUNTS: usize = Count::Searches as usize + 1;

/// Paths below a usage object. Of one count the first that is there is used.
const PATHS: &[(Count, &[&str])] = &[
    (
        Count::Prompt,
        &[
            "/billed_units/input_tokens", // Cohere bills these; `tokens` has what its templates add
            "/prompt_tokens",
            "/input_tokens",
            "/promptTokenCount",
            "/prompt_eval_count",
            "/tokens/input_tokens",
        ],
    ),
    (Count::Total, &["/total_tokens", "/totalTokenCount"]),
    (
        Count::CachedWithin,
        &[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens", // DeepSeek
            "/cached_tokens",           // Moonshot
            "/cachedContentTokenCount",
        ],
    ),
    (
        Count::WrittenWithin,
        &["/prompt_tokens_details/cache_write_tokens", "/input_tokens_details/cache_write_tokens"],
    ),
    (Count::CachedBeside, &["/cache_read_input_tokens"]),
    (Count::WrittenBeside, &["/cache_creation_input_tokens"]),
    (Count::WrittenForAnHour, &["/cache_creation/ephemeral_1h_input_tokens"]),
    (Count::Beside, &["/toolUsePromptTokenCount", "/billed_units/image_tokens"]),
    (
        Count::AudioInput,
        &["/prompt_tokens_details/audio_tokens", "/input_tokens_details/audio_tokens"],
    ),
    (
        Count::CachedAudio,
        &[
            "/prompt_tokens_details/cached_tokens_details/audio_tokens",
            "/input_tokens_details/cached_tokens_details/audio_tokens",
        ],
    ),
    (
        Count::Completion,
        &[
            "/billed_units/output_tokens",
            "/completion_tokens",
            "/output_tokens",
            "/candidatesTokenCount",
            "/eval_count",
            "/tokens/output_tokens",
        ],
    ),
    (
        Count::Reasoning,
        &[
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
            "/reasoning_tokens", // Perplexity
        ],
    ),
    (Count::ThoughtsBeside, &["/thoughtsTokenCount"]),
    (
        Count::AudioOutput,
        &["/completion_tokens_details/audio_tokens", "/output_tokens_details/audio_tokens"],
    ),
    (
        Count::Searches,
        &[
            "/billed_units/search_units",
            "/server_tool_use/web_search_requests",
            "/num_search_queries",
            "/num_sources_used",
        ],
    ),
];

/// Google's lists of counts by modality, and the count of their audio.
const BY_MODALITY: &[(&str, Count)] = &[
    ("/promptTokensDetails", Count::AudioInput),
    ("/cacheTokensDetails", Count::CachedAudio),
    ("/candidatesTokensDetails", Count::AudioOutput),
];

/// US dollars that the provider reports for the call.
const DOLLARS: &[&str] = &["/cost", "/cost/total_cost", "/estimated_cost"];

/// The most dollars that are believed of one call.
const MAX_DOLLARS: f64 = 1e5;

/// The counts of a response so far. A stream may report them in parts, and again; the last ones hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    numbers: [Option<u64>; COUNTS],
    tier: Option<Tier>,
    is_fast: bool,
    is_us: bool,
    dollars: Option<f64>,
}

impl Counts {
    /// Takes the counts of a usage object, or of an object with the members of one.
    pub(super) fn take(&mut self, usage: &Value) {
        for (count, paths) in PATHS {
            let mut found = paths.iter().filter_map(|path| whole_number(usage.pointer(path)?));
            self.set(*count, found.next());
        }
        for (path, count) in BY_MODALITY {
            self.set(*count, usage.pointer(path).and_then(audio));
        }
        let word = |path| usage.pointer(path).and_then(Value::as_str);
        if let Some(tier) = word("/service_tier").or_else(|| word("/serviceTier")) {
            self.tier(tier);
        } else if let Some(tier) = word("/trafficType") {
            self.tier(tier);
        }
        self.is_fast |= word("/speed") == Some("fast");
        self.is_us |= word("/inference_geo") == Some("us");
        let dollars = DOLLARS.iter().find_map(|path| usage.pointer(path)?.as_f64());
        self.dollars = dollars.filter(|d| (0.0..=MAX_DOLLARS).contains(d)).or(self.dollars);
    }

    /// Takes a count that stands in the response itself.
    pub(super) fn set(&mut self, count: Count, number: Option<u64>) {
        if let Some(slot) = self.numbers.get_mut(count as usize).filter(|_| number.is_some()) {
            *slot = number;
        }
    }

    /// Takes the provider's word for the service tier.
    pub(super) fn tier(&mut self, word: &str) {
        self.tier = Some(Tier::parse(word));
    }

    fn get(&self, count: Count) -> u64 {
        self.numbers.get(count as usize).copied().flatten().unwrap_or(0)
    }

    fn is_reported(&self) -> bool {
        self.dollars.is_some() || self.numbers.iter().any(Option::is_some)
    }

    /// The usage; `None` if none was reported. Counts that contradict each other never make a kind negative.
    pub(super) fn usage(&self) -> Option<Usage> {
        if !self.is_reported() {
            return None;
        }
        let tokens = self.output(self.input());
        Some(Usage {
            tokens,
            searches: self.get(Count::Searches),
            tier: self.tier.unwrap_or_default(),
            is_fast: self.is_fast,
            is_us: self.is_us,
            dollars: self.dollars,
        })
    }

    fn input(&self) -> Tokens {
        let reported = self.numbers.get(Count::Prompt as usize).copied().flatten();
        // Embeddings of Voyage, Jina and others have only a total.
        let prompt = reported
            .unwrap_or_else(|| self.get(Count::Total).saturating_sub(self.get(Count::Completion)));
        let mut fresh = prompt;
        let mut take = |number: u64| {
            let part = number.min(fresh);
            fresh -= part;
            part
        };
        let cached = take(self.get(Count::CachedWithin));
        let written = take(self.get(Count::WrittenWithin));
        let cached_audio = self.get(Count::CachedAudio).min(cached);
        let audio = take(self.get(Count::AudioInput).saturating_sub(cached_audio));
        let beside = self.get(Count::WrittenBeside);
        let for_an_hour = self.get(Count::WrittenForAnHour).min(beside);
        Tokens::of(Kind::Input, fresh.saturating_add(self.get(Count::Beside)))
            .with(Kind::CacheRead, cached.saturating_add(self.get(Count::CachedBeside)))
            .with(Kind::CacheWrite, written.saturating_add(beside - for_an_hour))
            .with(Kind::CacheWrite1h, for_an_hour)
            .with(Kind::AudioInput, audio)
    }

    fn output(&self, tokens: Tokens) -> Tokens {
        let (written, reasoning) = (self.get(Count::Completion), self.get(Count::Reasoning));
        let (beside, within) =
            if self.has_reasoning_beside() { (reasoning, 0) } else { (0, reasoning) };
        let within = within.min(written);
        let audio = self.get(Count::AudioOutput).min(written - within);
        let thinking =
            within.saturating_add(beside).saturating_add(self.get(Count::ThoughtsBeside));
        tokens
            .with(Kind::Output, written - within - audio)
            .with(Kind::Thinking, thinking)
            .with(Kind::AudioOutput, audio)
    }

    /// Whether the reasoning is not within the output: xAI's total is the sum of all three.
    fn has_reasoning_beside(&self) -> bool {
        let (output, reasoning) = (self.get(Count::Completion), self.get(Count::Reasoning));
        let sum = self.get(Count::Prompt).saturating_add(output).saturating_add(reasoning);
        reasoning > 0 && (reasoning > output || self.get(Count::Total) == sum)
    }
}

/// A count, which Cohere prints with a fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of tokens")]
pub(super) fn whole_number(value: &Value) -> Option<u64> {
    let fraction = || value.as_f64().filter(|count| *count >= 0.0).map(|count| count as u64);
    value.as_u64().or_else(fraction)
}

/// The audio in a list of counts by modality.
fn audio(list: &Value) -> Option<u64> {
    let is_audio = |item: &&Value| item.get("modality").and_then(Value::as_str) == Some("AUDIO");
    let counts = list.as_array()?.iter().filter(is_audio);
    Some(counts.filter_map(|item| whole_number(item.get("tokenCount")?)).sum())
}
