//! A provider that speaks as `OpenAI` does, but for some fields.

use http::Method;

use super::shape::Shape;
use super::{Dialect, Endpoint, Limits, openai};

/// Such a provider.
#[derive(Debug)]
pub(super) struct Compatible {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// Its `/embeddings`.
    pub(super) embeddings: &'static Shape,
}

impl Dialect for Compatible {
    fn name(&self) -> &'static str {
        self.name
    }

    fn endpoint(&self, method: &Method, path: &str) -> Endpoint {
        match (method, path) {
            (&Method::POST, "/embeddings") => Endpoint::Embed(self.embeddings),
            _ => openai::endpoint(method, path),
        }
    }

    fn limits(&self) -> Limits {
        self.embeddings.limits
    }
}
