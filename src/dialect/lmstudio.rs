//! LM Studio, which gives numbers even where base64 is asked for.

use super::compatible::Compatible;
use super::shape::{Encodings, Shape};
use super::{Limits, openai};

/// LM Studio.
pub(super) static LMSTUDIO: Compatible = Compatible {
    name: "lmstudio",
    embeddings: &Shape {
        params: &[],
        encodings: Encodings::Asked,
        limits: Limits { input_tokens: usize::MAX, tokens: usize::MAX, ..openai::LIMITS },
        ..openai::SHAPE
    },
};
