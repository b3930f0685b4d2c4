//! Responses that depend on the world: the provider searches the web, or an index that changes, before the
//! model answers. They are not deterministic, whatever the temperature.
//!
//! One file a provider. A row holds for every provider, since gateways pass members and models of others on.
//! `docs/CACHING.md` lists the rows; a test holds it.

mod anthropic;
mod azure;
mod cohere;
mod dashscope;
mod groq;
mod hunyuan;
mod jina;
mod openai;
mod openrouter;
mod perplexity;
mod qianfan;
mod xai;

use super::fields::Fields;

/// A part of a request that makes its response depend on the world.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// The part.
    pub sign: Sign,
    /// The provider's page about it.
    pub source: &'static str,
}

/// A part of a request.
#[derive(Debug, Clone, Copy)]
pub enum Sign {
    /// A member of the body with any value but `null` and `false`. An empty object counts: it stands for the
    /// defaults.
    Member(&'static str),
    /// A model that searches by itself. A `*` stands for any characters but a slash. A name with prefixes of
    /// gateways (`openrouter/perplexity/sonar`) counts too.
    Model(&'static str),
}

/// A row for a member.
const fn member(name: &'static str, source: &'static str) -> World {
    World { sign: Sign::Member(name), source }
}

/// A row for models.
const fn model(name: &'static str, source: &'static str) -> World {
    World { sign: Sign::Model(name), source }
}

/// The rows of each provider.
pub const WORLD: &[(&str, &[World])] = &[
    ("Anthropic", anthropic::ROWS),
    ("Azure", azure::ROWS),
    ("Cohere", cohere::ROWS),
    ("DashScope", dashscope::ROWS),
    ("Groq", groq::ROWS),
    ("Hunyuan", hunyuan::ROWS),
    ("Jina", jina::ROWS),
    ("OpenAI", openai::ROWS),
    ("OpenRouter", openrouter::ROWS),
    ("Perplexity", perplexity::ROWS),
    ("Qianfan", qianfan::ROWS),
    ("xAI", xai::ROWS),
];

/// Whether the response to a request depends on the world.
pub(super) fn depends(fields: &Fields<'_>, model: &str) -> bool {
    let rows = || WORLD.iter().flat_map(|(_, rows)| *rows);
    let model = model.to_ascii_lowercase();
    rows().any(|row| match row.sign {
        Sign::Member(name) => fields.raw(name).is_some_and(|value| value != "false"),
        Sign::Model(pattern) => !model.is_empty() && names(pattern, &model),
    })
}

/// Whether a pattern names a model, with or without prefixes.
fn names(pattern: &str, model: &str) -> bool {
    let after_slashes = model.match_indices('/').filter_map(|(at, _)| model.get(at + 1..));
    std::iter::once(model).chain(after_slashes).any(|name| fits(pattern, name))
}

fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    let starts = (0..=rest.len()).filter_map(|at| Some((rest.get(..at)?, rest.get(at..)?)));
    let mut within = starts.take_while(|(skipped, _)| !skipped.contains('/'));
    within.any(|(_, rest)| fits(after, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_is_switched_on_is_seen_and_one_that_is_not_is_not() {
        for (body, is) in [
            (r#"{"web_search_options":{}}"#, true),
            (r#"{"search_parameters":{}}"#, true),
            (r#"{"enable_search":true}"#, true),
            (r#"{"enable_search":false}"#, false),
            (r#"{"web_search_options":null}"#, false),
            (r#"{"plugins":[{"id":"web"}]}"#, true),
            (r#"{"messages":[]}"#, false),
        ] {
            assert_eq!(depends(&Fields::read(body.as_bytes()).unwrap(), "m"), is, "{body}");
        }
    }

    #[test]
    fn a_model_that_searches_is_known_by_its_name() {
        let nothing = Fields::read(b"{}").unwrap();
        for model in [
            "sonar",
            "Sonar-Pro",
            "perplexity/sonar-reasoning",
            "openrouter/perplexity/sonar",
            "groq/compound",
            "groq/compound-mini",
            "compound-beta",
            "gpt-4o-search-preview-2025-03-11",
            "ft:gpt-4o-mini-search-preview:org",
            "gpt-5-search-api",
            "o3-deep-research",
            "meta/llama-3:online",
        ] {
            assert!(depends(&nothing, model), "{model}");
        }
        for model in ["", "gpt-4o", "compound", "sonar2/other", "my-sonar", "research"] {
            assert!(!depends(&nothing, model), "{model}");
        }
    }

    #[test]
    fn every_row_has_a_source() {
        for (provider, rows) in WORLD {
            assert!(!rows.is_empty(), "{provider}");
            assert!(rows.iter().all(|row| row.source.starts_with("https://")), "{provider}");
        }
    }
}
