//! `OpenRouter`, which passes on what the providers behind it say.

use super::compatible::Compatible;
use super::openai;
use super::shape::{Encodings, Shape};

/// `OpenRouter`.
pub(super) static OPENROUTER: Compatible = Compatible {
    name: "openrouter",
    embeddings: &Shape {
        params: &["dimensions", "input_type"],
        encodings: Encodings::Asked,
        ..openai::SHAPE
    },
};
