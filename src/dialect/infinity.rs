//! Infinity, a server that has a default model.

use super::compatible::Compatible;
use super::shape::Shape;
use super::{Limits, openai};

/// Infinity.
pub(super) static INFINITY: Compatible = Compatible {
    name: "infinity",
    embeddings: &Shape {
        needs_model: false,
        limits: Limits { input_tokens: usize::MAX, tokens: usize::MAX, ..openai::LIMITS },
        ..openai::SHAPE
    },
};
