//! Fireworks, which also takes objects that a template makes texts of.

use super::compatible::Compatible;
use super::openai;
use super::shape::{Encodings, Shape};

/// Fireworks.
pub(super) static FIREWORKS: Compatible = Compatible {
    name: "fireworks",
    embeddings: &Shape {
        objects: Some(("input", &[])),
        params: &["dimensions", "normalize", "prompt_template"],
        encodings: Encodings::Asked,
        ..openai::SHAPE
    },
};
