//! Voyage. Its SDK writes a null for every field that is not set.

use http::Method;

use super::shape::{Answer, Encodings, Shape};
use super::{Dialect, EmbedShape, Limits, openai};
use crate::error::Error;

/// Voyage.
#[derive(Debug)]
pub(super) struct Voyage;

/// 1,000 inputs, and the fewest tokens that any of its models takes. Longer texts are cut off,
/// unless a request says otherwise.
const LIMITS: Limits =
    Limits { inputs: 1_000, input_tokens: usize::MAX, tokens: 120_000, bytes: 8 << 20 };

static EMBEDDINGS: Shape = Shape {
    params: &["input_type", "output_dimension", "output_dtype", "truncation"],
    forms: &[("output_dtype", &[r#""float""#])],
    dimensions: "output_dimension",
    user: "",
    encodings: Encodings::Base64Only,
    null_is_absent: true,
    limits: LIMITS,
    ..openai::SHAPE
};

/// Each list of chunks is one input: the chunks see each other, and no other list's.
static CONTEXTUAL: Shape = Shape {
    input: "inputs",
    params: &["input_type", "output_dimension", "output_dtype"],
    dimensions: "output_dimension",
    user: "",
    encodings: Encodings::Base64Only,
    null_is_absent: true,
    units: true,
    limits: LIMITS,
    answer: Answer::Data("data"),
    ..openai::SHAPE
};

impl Dialect for Voyage {
    fn name(&self) -> &'static str {
        "voyage"
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match (method, path) {
            (&Method::POST, "/embeddings") => Some(&EMBEDDINGS),
            (&Method::POST, "/contextualizedembeddings") => Some(&CONTEXTUAL),
            _ => None,
        }
    }

    fn write_error(&self, _path: &str, error: &Error) -> Vec<u8> {
        serde_json::json!({ "detail": error.message }).to_string().into_bytes()
    }
}
