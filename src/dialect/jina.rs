//! Jina, whose late chunking makes the inputs of a call depend on each other.

use super::compatible::Compatible;
use super::shape::{Encodings, Shape};
use super::{Limits, openai};

/// Jina.
pub(super) static JINA: Compatible = Compatible {
    name: "jina",
    embeddings: &Shape {
        objects: Some(("input", &["text"])),
        params: &[
            "dimensions",
            "embedding_type",
            "late_chunking",
            "normalized",
            "return_multivector",
            "task",
            "truncate",
        ],
        joins: &["late_chunking", "return_multivector"],
        forms: &[("embedding_type", &[r#""float""#, r#"["float"]"#])],
        encodings: Encodings::Asked,
        limits: Limits { inputs: 512, tokens: usize::MAX, ..openai::LIMITS },
        ..openai::SHAPE
    },
};
