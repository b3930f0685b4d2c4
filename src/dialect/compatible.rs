//! A provider that speaks as `OpenAI` does, but for some fields.

use http::Method;

use super::shape::Shape;
use super::{Dialect, EmbedShape, openai};

/// Such a provider.
#[derive(Debug)]
pub(super) struct Compatible {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// Its `/embeddings`.
    pub(super) embeddings: &'static Shape,
}

/// Those that answer Anthropic's `/messages` too, whose SDK sends its key in `x-api-key`.
const LIKE_ANTHROPIC: &[&str] =
    &["deepseek", "fireworks", "llamacpp", "lmstudio", "openrouter", "vllm"];

impl Dialect for Compatible {
    fn name(&self) -> &'static str {
        self.name
    }

    fn credentials(&self) -> &'static [&'static str] {
        if LIKE_ANTHROPIC.contains(&self.name) {
            return &["authorization", "x-api-key"];
        }
        &["authorization"]
    }

    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        match (method, path) {
            (&Method::POST, "/embeddings") => Some(self.embeddings),
            _ => openai::embed(method, path),
        }
    }
}
