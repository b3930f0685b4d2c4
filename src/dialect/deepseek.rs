//! `DeepSeek`, which speaks as `OpenAI` does.

use super::compatible::Compatible;
use super::openai;
use super::shape::{Encodings, Shape};

/// `DeepSeek`.
pub(super) static DEEPSEEK: Compatible = Compatible {
    name: "deepseek",
    embeddings: &Shape { encodings: Encodings::Asked, ..openai::SHAPE },
};
