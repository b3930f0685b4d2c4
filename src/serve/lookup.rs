//! What a request would be looked up by, for whoever wants to know without asking.

use super::chat::permit;
use super::identity::{family, keys};
use super::{Ask, Directives, Service};
use crate::dialect::chat::question;
use crate::dialect::{ChatShape, EmbedShape, Unreadable};
use crate::key::CacheKey;
use crate::request::{ChatRequest, EmbedRequest};

impl Service {
    /// A request for embeddings, and what each of its inputs is kept under.
    pub fn keys_of_inputs<'a>(
        &self,
        shape: &dyn EmbedShape,
        ask: &'a Ask,
    ) -> Result<(EmbedRequest<'a>, Vec<CacheKey>), Unreadable> {
        let request = shape.read(&ask.target.path_and_query, &ask.body)?;
        let keys = keys(&family(ask, &request, &self.envelope(ask)), &request);
        Ok((request, keys))
    }

    /// A request for a model's words, and what its answer is kept under; none where it is not.
    pub fn key_of_words(
        &self,
        shape: &dyn ChatShape,
        ask: &Ask,
    ) -> Result<(ChatRequest, Option<CacheKey>), Unreadable> {
        let request = shape.read(&ask.target.path_and_query, &ask.body)?;
        let directives = Directives::read(&ask.headers);
        let declined = self.declines(shape, ask).is_some();
        if declined || permit(shape, ask, &directives, &request).is_err() {
            return Ok((request, None));
        }
        let key = self.chat_key(ask, &question(shape, &ask.body)?);
        Ok((request, Some(key)))
    }
}
