//! What the memory tier holds an answer in, as far as that can be told before the answer is there.

use crate::tier::memory;

/// What a kept vector has beside its numbers: its head, and what an answer says beside the vectors.
const BESIDE_NUMBERS: usize = 128;

/// A number of a vector.
const NUMBER: usize = size_of::<f32>();

/// How long vectors are where nothing says it.
const DIMENSIONS: usize = 1_536;

/// How long an answer of a model is where nothing says it.
const WORDS: usize = 2_048;

/// How long the vectors of models are, as published; the first part of a name that fits counts.
const MODELS: &[(&str, usize)] = &[
    ("text-embedding-3-large", 3_072),
    ("text-embedding-004", 768),
    ("text-embedding-005", 768),
    ("gemini-embedding", 3_072),
    ("voyage-3-lite", 512),
    ("voyage-", 1_024),
    ("light-v", 384),
    ("embed-english-v3", 1_024),
    ("embed-multilingual-v3", 1_024),
    ("mistral-embed", 1_024),
    ("jina-embeddings-v3", 1_024),
    ("jina-embeddings-v4", 2_048),
    ("jina-", 768),
    ("nomic-embed", 768),
    ("minilm", 384),
    ("mxbai-embed-large", 1_024),
    ("bge-m3", 1_024),
    ("bge-small", 384),
    ("bge-base", 768),
    ("bge-large", 1_024),
    ("e5-small", 384),
    ("e5-base", 768),
    ("e5-large", 1_024),
    ("gte-small", 384),
    ("gte-base", 768),
    ("gte-large", 1_024),
];

/// The weight of an embedding of a model, whose dimensions may have been asked for.
pub(super) fn of_vector(model: &str, dimensions: Option<usize>) -> u64 {
    let known = || {
        let model = model.to_ascii_lowercase();
        MODELS.iter().find(|(part, _)| model.contains(part)).map(|(_, dimensions)| *dimensions)
    };
    let dimensions = dimensions.or_else(known).unwrap_or(DIMENSIONS);
    memory::weight(dimensions.saturating_mul(NUMBER).saturating_add(BESIDE_NUMBERS))
}

/// The weight of an answer of a model, whose length may be known.
pub(super) fn of_words(length: Option<usize>) -> u64 {
    memory::weight(length.unwrap_or(WORDS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::{Numbers, Parts, Usage, Vector};

    #[test]
    fn a_vector_weighs_about_what_is_kept_of_it() {
        let parts = Parts {
            numbers: Numbers::Widened,
            components: &[0; 1_536 * NUMBER],
            tokens: 8,
            is_estimate: false,
            has_both_forms: false,
            usage: Usage { prompt: true, total: true, rest: "" },
            indexed: true,
            envelope: r#""object":"list","model":"text-embedding-3-small""#,
            item: r#""object":"embedding""#,
        };
        let kept = memory::weight(Vector::pack(&parts).unwrap().bytes().len());
        for model in ["text-embedding-3-small", "text-embedding-ada-002", "mine"] {
            assert!(of_vector(model, None).abs_diff(kept) < 64, "{model}");
        }
    }

    #[test]
    fn dimensions_are_those_asked_for_or_the_models() {
        let dimensions = |model, asked| (of_vector(model, asked) - of_vector("m", Some(0))) / 4;
        assert_eq!(dimensions("text-embedding-3-large", Some(256)), 256);
        assert_eq!(dimensions("text-embedding-3-large", None), 3_072);
        assert_eq!(dimensions("Cohere/embed-english-light-v3.0", None), 384);
        assert_eq!(dimensions("BAAI/bge-m3", None), 1_024);
        assert_eq!(dimensions("unheard of", None), 1_536);
    }
}
