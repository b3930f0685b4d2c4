//! The inputs of a request for embeddings, as recordings know them.

use super::super::identity::{asked, keys};
use super::Taping;
use super::question::query;
use crate::key::{CacheKey, Framer};
use crate::recording::Question;
use crate::request::EmbedRequest;
use crate::vector::Vector;

impl Taping {
    /// Records the vectors of a request's inputs.
    pub(in crate::serve) fn vectors(&self, request: &EmbedRequest<'_>, vectors: &[Vector]) {
        let keys = of(&self.question, &self.query, request);
        let vectors = keys.into_iter().zip(vectors.iter().cloned()).collect();
        self.recorder.vectors(&self.question, vectors);
    }
}

/// What the vector of each input is recorded under: whoever asks, in whatever company.
pub(super) fn keys_of(
    question: &Question,
    path_and_query: &str,
    request: &EmbedRequest<'_>,
) -> Vec<CacheKey> {
    of(question, &query(path_and_query), request)
}

fn of(question: &Question, query: &str, request: &EmbedRequest<'_>) -> Vec<CacheKey> {
    let mut family = Framer::new("larder recorded input 1");
    family.field(b'n', question.provider.as_bytes()).field(b'q', query.as_bytes());
    asked(&mut family, request);
    keys(&family.finish(), request)
}
