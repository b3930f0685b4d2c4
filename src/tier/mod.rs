//! Where answers are kept. A tier stores plain bytes and knows nothing of what they mean.

pub mod memory;
mod recall;

use std::sync::Arc;

use crate::clock::Moment;

/// A kept answer, with its age and its end.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The answer's bytes.
    pub value: Arc<[u8]>,
    /// When the provider gave it.
    pub stored: Moment,
    /// From when on it is not good any more.
    pub expires: Moment,
}

/// What a reader takes for good.
#[derive(Debug, Clone, Copy)]
pub struct Freshness {
    /// This moment.
    pub now: Moment,
    /// How old an answer may be, in seconds, where the caller has said.
    pub max_age: Option<u64>,
}

impl Freshness {
    /// Whether an answer is good for this reader.
    pub fn accepts(&self, stored: &Stored) -> bool {
        let young = self.max_age.is_none_or(|max_age| self.now.since(stored.stored) <= max_age);
        young && self.now < stored.expires
    }
}
