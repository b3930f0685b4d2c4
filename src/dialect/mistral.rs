//! Mistral. Its SDKs refuse an answer without an `id`.

use http::Method;

use super::shape::{Encodings, Shape};
use super::{Dialect, EmbedShape, Limits, openai};
use crate::error::Error;

/// Mistral.
#[derive(Debug)]
pub(super) struct Mistral;

/// As reported: 512 inputs, 16,384 tokens.
const LIMITS: Limits = Limits { inputs: 512, input_tokens: 8_192, tokens: 16_384, bytes: 8 << 20 };

static EMBEDDINGS: Shape = Shape {
    params: &["output_dimension", "output_dtype"],
    forms: &[("output_dtype", &[r#""float""#, "null"])],
    dimensions: "output_dimension",
    user: "metadata",
    encodings: Encodings::Asked,
    limits: LIMITS,
    ..openai::SHAPE
};

impl Dialect for Mistral {
    fn name(&self) -> &'static str {
        "mistral"
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match (method, path) {
            (&Method::POST, "/embeddings") => Some(&EMBEDDINGS),
            _ => openai::embed(method, path),
        }
    }

    fn write_error(&self, _path: &str, error: &Error) -> Vec<u8> {
        serde_json::json!({
            "object": "error",
            "message": error.message,
            "type": "larder_error",
            "param": null,
            "code": error.kind.code(),
        })
        .to_string()
        .into_bytes()
    }
}
