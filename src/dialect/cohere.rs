//! Cohere: `/v1/embed` and `/v2/embed`, whose fields are the same and whose answers are not.

use http::Method;

use super::listed::Form;
use super::shape::{Answer, Encodings, Shape};
use super::{Dialect, EmbedShape, Limits, openai};
use crate::error::Error;

/// Cohere.
#[derive(Debug)]
pub(super) struct Cohere;

/// 96 inputs. Longer texts are cut off, unless a request says otherwise.
const LIMITS: Limits =
    Limits { inputs: 96, input_tokens: usize::MAX, tokens: usize::MAX, bytes: 8 << 20 };

static EMBED: Shape = Shape {
    input: "texts",
    objects: Some(("inputs", &["content", "text", "type"])),
    params: &["embedding_types", "input_type", "max_tokens", "output_dimension", "truncate"],
    harmless: &["priority"],
    forms: &[("embedding_types", &[r#"["float"]"#])],
    dimensions: "output_dimension",
    user: "",
    encodings: Encodings::None,
    by_path: true,
    limits: LIMITS,
    answer: Answer::Listed(&Form {
        vectors: "embeddings",
        one: false,
        wrap: "",
        counts: &["input_tokens"],
        echo: "texts",
    }),
    ..openai::SHAPE
};

static COMPATIBLE: Shape =
    Shape { encodings: Encodings::Asked, by_path: true, limits: LIMITS, ..openai::SHAPE };

impl Dialect for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match (method, path) {
            (&Method::POST, "/embed") => Some(&EMBED),
            (&Method::POST, "/compatibility/v1/embeddings") => Some(&COMPATIBLE),
            _ => None,
        }
    }

    fn write_error(&self, path: &str, error: &Error) -> Vec<u8> {
        if path.starts_with("/compatibility/") {
            return openai::write_error(error);
        }
        serde_json::json!({ "message": error.message }).to_string().into_bytes()
    }
}
