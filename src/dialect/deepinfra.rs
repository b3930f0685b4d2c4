//! `DeepInfra`, in its `OpenAI` mode: 1,024 inputs a call.

use super::compatible::Compatible;
use super::shape::{Encodings, Shape};
use super::{Limits, openai};

/// `DeepInfra`.
pub(super) static DEEPINFRA: Compatible = Compatible {
    name: "deepinfra",
    embeddings: &Shape {
        params: &["dimensions", "normalize"],
        encodings: Encodings::Asked,
        limits: Limits { inputs: 1_024, ..openai::LIMITS },
        ..openai::SHAPE
    },
};
