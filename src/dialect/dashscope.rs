//! `DashScope`, in its `OpenAI` mode: ten inputs a call.

use super::compatible::Compatible;
use super::shape::{Encodings, Shape};
use super::{Limits, openai};

/// Alibaba's `/compatible-mode/v1`.
pub(super) static DASHSCOPE: Compatible = Compatible {
    name: "dashscope",
    embeddings: &Shape {
        encodings: Encodings::Asked,
        limits: Limits { inputs: 10, ..openai::LIMITS },
        ..openai::SHAPE
    },
};
