//! The prompt cache of a provider: the prefixes of prompts that were billed lately.
//!
//! `OpenAI`, `DeepSeek` and Gemini cache by themselves, in blocks; Anthropic caches up to the markers in a
//! request. Sources: the providers' pages on prompt caching, November 2026. No entry expires: a run of the
//! simulator is shorter than five minutes, or starts over.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use super::oracle::{compact, text_tokens};

/// A token is so many bytes of JSON text.
const BYTES_PER_TOKEN: usize = 4;

/// The most prefixes that are remembered; then all are forgotten.
const MAX_PREFIXES: usize = 1 << 20;

/// The prefixes of all models.
#[derive(Debug, Default)]
pub(super) struct PromptCache(Mutex<HashSet<u64>>);

/// The input of a call by its way through the cache. The parts add up to the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Prompt {
    pub(super) fresh: u64,
    pub(super) read: u64,
    pub(super) written: u64,
    pub(super) written_1h: u64,
}

impl Prompt {
    pub(super) fn sum(self) -> u64 {
        self.fresh + self.read + self.written + self.written_1h
    }
}

/// The rule of a provider that caches by itself.
struct Blocks {
    /// Tokens of a block.
    block: usize,
    /// Tokens of the shortest prompt that is cached.
    least: usize,
    /// Whether writes are billed.
    bills_writes: bool,
}

/// `None` for a provider that has no such cache.
fn blocks(model: &str) -> Option<Blocks> {
    let blocks = if model.starts_with("deepseek") {
        Blocks { block: 64, least: 64, bills_writes: false }
    } else if model.starts_with("gemini") {
        Blocks { block: 1_024, least: 2_048, bills_writes: false }
    } else {
        Blocks { block: 128, least: 1_024, bills_writes: model.starts_with("gpt-5.6") }
    };
    (!model.starts_with("command")).then_some(blocks)
}

impl PromptCache {
    /// A prompt of a provider that caches by itself, by the JSON text of its conversation.
    pub(super) fn automatic(&self, model: &str, conversation: &str) -> Prompt {
        let text = compact(conversation);
        let total = text_tokens(text.len());
        let uncached = Prompt { fresh: total, ..Prompt::default() };
        let Some(Blocks { block, least, bills_writes }) = blocks(model) else { return uncached };
        let size = block * BYTES_PER_TOKEN;
        let whole = text.len() / size;
        if whole * block < least {
            return uncached;
        }
        let mut hasher = start(model);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bound(&mut known);
        let (mut read, mut is_known) = (0, true);
        for (at, piece) in text.chunks_exact(size).enumerate() {
            hasher.update(piece);
            let tokens = (at + 1) * block;
            if tokens < least {
                continue;
            }
            // A block is read only if all before it are.
            is_known &= !known.insert(hasher.digest());
            if is_known {
                read = tokens;
            }
        }
        let read = read as u64;
        let cacheable = (whole * block) as u64;
        let written = if bills_writes { cacheable - read } else { 0 };
        Prompt { fresh: total - read - written, read, written, written_1h: 0 }
    }

    /// A prompt with Anthropic's markers: the longest marked prefix that is known is read, and what follows
    /// up to the last marker is written.
    pub(super) fn marked(&self, model: &str, body: &[u8]) -> Prompt {
        const LEAST: u64 = 1_024;
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut hasher = start(model);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bound(&mut known);
        let (mut prompt, mut total, mut cached) = (Prompt::default(), 0, 0);
        for part in parts(&body) {
            let (text, ttl) = unmarked(part);
            hasher.update(text.as_bytes());
            total += text_tokens(text.len());
            let Some(ttl) = ttl.filter(|_| total >= LEAST) else { continue };
            if !known.insert(hasher.digest()) {
                prompt = Prompt { read: total, ..Prompt::default() };
            } else if ttl == "1h" {
                prompt.written_1h += total - cached;
            } else {
                prompt.written += total - cached;
            }
            cached = total;
        }
        Prompt { fresh: total - cached, ..prompt }
    }
}

fn start(model: &str) -> Xxh3 {
    let mut hasher = Xxh3::new();
    hasher.update(model.as_bytes());
    hasher.update(b"\n");
    hasher
}

fn bound(known: &mut HashSet<u64>) {
    if known.len() > MAX_PREFIXES {
        known.clear();
    }
}

/// The blocks of a request in the order of the prompt: the system's, then those of each message.
fn parts(body: &Value) -> Vec<&Value> {
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let contents = messages.filter_map(|message| message.get("content"));
    let mut parts = Vec::new();
    for content in body.get("system").into_iter().chain(contents) {
        match content {
            Value::Array(list) => parts.extend(list),
            other => parts.push(other),
        }
    }
    parts
}

/// The text of a block without its marker, and the lifetime that the marker asks for.
fn unmarked(part: &Value) -> (String, Option<String>) {
    let mut part = part.clone();
    let marker = part.as_object_mut().and_then(|members| members.remove("cache_control"));
    let ttl =
        marker.map(|marker| marker.get("ttl").and_then(Value::as_str).unwrap_or("5m").to_owned());
    (part.to_string(), ttl)
}
