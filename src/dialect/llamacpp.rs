//! llama.cpp, a server of one model that need not be named. Not all of its paths normalise.

use super::compatible::Compatible;
use super::shape::Shape;
use super::{Limits, openai};

/// llama.cpp.
pub(super) static LLAMACPP: Compatible = Compatible {
    name: "llamacpp",
    embeddings: &Shape {
        params: &["dimensions", "embd_normalize"],
        needs_model: false,
        by_path: true,
        limits: Limits { input_tokens: usize::MAX, tokens: usize::MAX, ..openai::LIMITS },
        ..openai::SHAPE
    },
};
