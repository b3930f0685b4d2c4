//! First segments of paths that are meant as the name of a provider, although none is configured under it.
//!
//! A request for such a path must not reach the default provider: it carries a credential of another one.
//! The default provider may have any path, so only segments near a provider's name count, and no segment of
//! a known API does.

use super::built_in::{BUILT_IN, DIALECTS};

/// Providers that larder knows, and that need configuration.
const UNCONFIGURED: &[&str] = &["bedrock", "cerebras", "perplexity", "replicate", "vertex", "xai"];

/// The dialect of stores, which is no provider's name.
const NO_PROVIDER: &str = "generic";

/// Other names of providers, as their companies, domains and packages have them.
const ALIASES: &[(&str, &str)] = &[
    ("amazonbedrock", "bedrock"),
    ("aoai", "azure"),
    ("awsbedrock", "bedrock"),
    ("azureai", "azure"),
    ("azureopenai", "azure"),
    ("claude", "anthropic"),
    ("cohereai", "cohere"),
    ("deepseekai", "deepseek"),
    ("fireworksai", "fireworks"),
    ("generativelanguage", "gemini"),
    ("google", "gemini"),
    ("googleai", "gemini"),
    ("googlegenai", "gemini"),
    ("grok", "xai"),
    ("jinaai", "jina"),
    ("mistralai", "mistral"),
    ("nvidianim", "nim"),
    ("togetherai", "together"),
    ("togetherxyz", "together"),
    ("vertexai", "vertex"),
    ("voyageai", "voyage"),
];

/// First segments of the APIs of model providers and of their servers. None of them is a misspelt name.
const API_PATHS: &[&str] = &[
    "api",
    "assistants",
    "audio",
    "batches",
    "chat",
    "classify",
    "completion",
    "completions",
    "containers",
    "conversations",
    "deployments",
    "detokenize",
    "docs",
    "embed",
    "embedding",
    "embeddings",
    "engines",
    "evals",
    "files",
    "fine_tuning",
    "generate",
    "health",
    "healthz",
    "images",
    "inference",
    "infill",
    "info",
    "invocations",
    "messages",
    "metrics",
    "models",
    "moderations",
    "open",
    "openapi",
    "openapi.json",
    "organization",
    "ping",
    "pooling",
    "predict",
    "props",
    "rank",
    "realtime",
    "rerank",
    "responses",
    "score",
    "slots",
    "similarity",
    "threads",
    "tokenize",
    "uploads",
    "usage",
    "vector_stores",
    "vectors",
    "version",
    "videos",
];

/// A longer segment is no provider's name; the distance to it need not be computed.
const LONGEST: usize = 32;

/// Whether a path segment is the first of a known API: a version, or one of the paths of known APIs.
pub fn is_api_path(segment: &str) -> bool {
    let version = segment.strip_prefix('v').and_then(|rest| rest.bytes().next());
    version.is_some_and(|digit| digit.is_ascii_digit()) || API_PATHS.contains(&segment)
}

/// The provider whose name a path segment is meant as, if it is meant as one: another spelling, another
/// name, or a few wrong letters.
pub fn meant_provider<'n>(segment: &str, configured: &[&'n str]) -> Option<&'n str> {
    if segment.is_empty() || segment.len() > LONGEST || is_api_path(segment) {
        return None;
    }
    let plain = plain(segment);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == plain).map(|(_, name)| *name);
    let known = BUILT_IN.iter().map(|built_in| built_in.name).chain(DIALECTS.iter().copied());
    let known = known.chain(UNCONFIGURED.iter().copied()).filter(|name| *name != NO_PROVIDER);
    let near = configured.iter().copied().chain(known).filter_map(|name| {
        let right = self::plain(name);
        // The distance costs more than both looks before it.
        if !begins_alike(&plain, &right) || plain.len().abs_diff(right.len()) > 2 {
            return None;
        }
        let distance = strsim::damerau_levenshtein(&plain, &right);
        (distance <= most_wrong(name)).then_some((distance, name))
    });
    match (near.min(), alias) {
        (Some((0, name)), _) | (_, Some(name)) | (Some((_, name)), None) => Some(name),
        (None, None) => None,
    }
}

/// A name as it is compared: without case and separators.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' '));
    letters.flat_map(char::to_lowercase).collect()
}

/// The number of wrong letters that may be a slip: none in a short name, one in a longer one, two in a
/// long one.
fn most_wrong(name: &str) -> usize {
    match name.len() {
        0..=3 => 0,
        4..=5 => 1,
        _ => 2,
    }
}

/// Whether the first letters are the same, or changed places with the second ones.
fn begins_alike(written: &str, right: &str) -> bool {
    let (mut written, mut right) = (written.chars(), right.chars());
    let (first, second) = (written.next(), written.next());
    let (right_first, right_second) = (right.next(), right.next());
    first == right_first || first == right_second && second == right_first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_recognised_and_a_path_is_not() {
        let configured = ["openai", "anthropic", "internal-eu", "m2"];
        for (segment, name) in [
            ("antropic", "anthropic"),
            ("Anthropic", "anthropic"),
            ("nathropic", "anthropic"),
            ("opnai", "openai"),
            ("open-ai", "openai"),
            ("voyageai", "voyage"),
            ("voyage-ai", "voyage"),
            ("azure", "azure"),
            ("azure_openai", "azure"),
            ("vertex", "vertex"),
            ("bedrok", "bedrock"),
            ("google", "gemini"),
            ("gorq", "groq"),
            ("internal_eu", "internal-eu"),
            ("interal-eu", "internal-eu"),
        ] {
            assert_eq!(meant_provider(segment, &configured), Some(name), "{segment}");
        }
        for path in
            API_PATHS.iter().copied().chain(["v1", "v1beta", "v2", "", "llm", "llama", "m1"])
        {
            assert_eq!(meant_provider(path, &configured), None, "{path}");
        }
        assert_eq!(meant_provider(&"anthropic".repeat(9), &configured), None);
    }
}
