//! Nomic's own shape.

use http::Method;

use super::listed::Form;
use super::shape::{Answer, Encodings, Shape};
use super::{Dialect, EmbedShape, Limits, openai};

/// Nomic.
#[derive(Debug)]
pub(super) struct Nomic;

/// Longer texts are cut off or averaged, as a request says. How many it takes is not published.
const LIMITS: Limits = Limits { input_tokens: usize::MAX, tokens: usize::MAX, ..openai::LIMITS };

static TEXT: Shape = Shape {
    input: "texts",
    params: &["dimensionality", "long_text_mode", "max_tokens_per_text", "task_type"],
    dimensions: "dimensionality",
    user: "",
    encodings: Encodings::None,
    needs_model: false,
    by_path: true,
    limits: LIMITS,
    answer: Answer::Listed(&Form {
        vectors: "embeddings",
        one: false,
        wrap: "",
        counts: &["prompt_tokens", "total_tokens"],
        echo: "",
    }),
    ..openai::SHAPE
};

impl Dialect for Nomic {
    fn name(&self) -> &'static str {
        "nomic"
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match (method, path) {
            (&Method::POST, "/embedding/text") => Some(&TEXT),
            _ => None,
        }
    }
}
