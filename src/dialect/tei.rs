//! Text Embeddings Inference: its own `/embed`, and `/embeddings` as `OpenAI` has it.

use http::Method;

use super::listed::Form;
use super::shape::{Answer, Encodings, Shape};
use super::{Dialect, EmbedShape, Limits, openai};
use crate::error::Error;

/// Text Embeddings Inference.
#[derive(Debug)]
pub(super) struct Tei;

/// Its defaults: 32 inputs, bodies of 2,000,000 bytes. Longer texts are cut off.
const LIMITS: Limits =
    Limits { inputs: 32, input_tokens: usize::MAX, tokens: usize::MAX, bytes: 1_900_000 };

static EMBED: Shape = Shape {
    input: "inputs",
    params: &["dimensions", "normalize", "prompt_name", "truncate", "truncation_direction"],
    user: "",
    encodings: Encodings::None,
    needs_model: false,
    by_path: true,
    limits: LIMITS,
    answer: Answer::Listed(&Form { vectors: "", one: false, wrap: "", counts: &[], echo: "" }),
    ..openai::SHAPE
};

static COMPATIBLE: Shape = Shape { needs_model: false, limits: LIMITS, ..openai::SHAPE };

impl Dialect for Tei {
    fn name(&self) -> &'static str {
        "tei"
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match (method, path) {
            (&Method::POST, "/embed") => Some(&EMBED),
            (&Method::POST, "/embeddings") => Some(&COMPATIBLE),
            _ => openai::embed(method, path),
        }
    }

    fn write_error(&self, path: &str, error: &Error) -> Vec<u8> {
        let message = &error.message;
        let body = if path.starts_with("/v1/") || path.starts_with("/embeddings") {
            let status = error.kind.status().as_u16();
            serde_json::json!({ "message": message, "code": status, "type": error.kind.code() })
        } else {
            serde_json::json!({ "error": message, "error_type": error.kind.code() })
        };
        body.to_string().into_bytes()
    }
}
