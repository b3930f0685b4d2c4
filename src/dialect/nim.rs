//! NVIDIA NIM, where a suffix of the model or `input_type` says what a text is for.

use super::compatible::Compatible;
use super::openai;
use super::shape::{Encodings, Shape};

/// NVIDIA NIM.
pub(super) static NIM: Compatible = Compatible {
    name: "nim",
    embeddings: &Shape {
        params: &["dimensions", "input_type", "truncate"],
        encodings: Encodings::Asked,
        ..openai::SHAPE
    },
};
