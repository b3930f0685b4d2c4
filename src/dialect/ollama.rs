//! Ollama: `/api/embed`, the older `/api/embeddings`, and `/v1/embeddings`. The older one does not
//! normalise its vectors, so none of them shares an entry with another.

use http::Method;

use super::listed::Form;
use super::shape::{Answer, Encodings, Shape};
use super::{Dialect, EmbedShape, Limits, openai};
use crate::error::Error;

/// Ollama.
#[derive(Debug)]
pub(super) struct Ollama;

/// It has none of its own; longer texts are cut off, unless a request says otherwise.
const LIMITS: Limits = Limits {
    inputs: usize::MAX,
    input_tokens: usize::MAX,
    tokens: usize::MAX,
    bytes: openai::LIMITS.bytes,
};

static EMBED: Shape = Shape {
    params: &["dimensions", "options", "truncate"],
    harmless: &["keep_alive"],
    user: "",
    encodings: Encodings::None,
    by_path: true,
    limits: LIMITS,
    answer: Answer::Listed(&Form {
        vectors: "embeddings",
        one: false,
        wrap: "",
        counts: &["prompt_eval_count"],
        echo: "",
    }),
    ..openai::SHAPE
};

/// One text a call: there is nothing that its calls could be merged into.
static EMBEDDINGS: Shape = Shape {
    input: "prompt",
    params: &["options"],
    harmless: &["keep_alive"],
    dimensions: "",
    user: "",
    encodings: Encodings::None,
    by_path: true,
    alone: true,
    limits: LIMITS,
    answer: Answer::Listed(&Form {
        vectors: "embedding",
        one: true,
        wrap: "",
        counts: &[],
        echo: "",
    }),
    ..openai::SHAPE
};

static COMPATIBLE: Shape = Shape { by_path: true, limits: LIMITS, ..openai::SHAPE };

impl Dialect for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    fn credentials(&self) -> &'static [&'static str] {
        &["authorization", "x-api-key"]
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match (method, path) {
            (&Method::POST, "/api/embed") => Some(&EMBED),
            (&Method::POST, "/api/embeddings") => Some(&EMBEDDINGS),
            (&Method::POST, "/embeddings") => Some(&COMPATIBLE),
            _ => openai::embed(method, path),
        }
    }

    fn write_error(&self, path: &str, error: &Error) -> Vec<u8> {
        if path.starts_with("/api/") {
            return serde_json::json!({ "error": error.message }).to_string().into_bytes();
        }
        openai::write_error(error)
    }
}
