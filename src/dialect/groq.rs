//! Groq, which speaks as `OpenAI` does.

use super::compatible::Compatible;
use super::openai;
use super::shape::{Encodings, Shape};

/// Groq.
pub(super) static GROQ: Compatible = Compatible {
    name: "groq",
    embeddings: &Shape { encodings: Encodings::Asked, ..openai::SHAPE },
};
