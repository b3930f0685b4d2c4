//! Whole answers by the very bytes that asked for them: what is asked again in the same bytes need
//! not be read, looked up by its parts and written again.
//!
//! Compared byte for byte, so that it cannot be wrong about who asked for what; bounded in bytes.

use std::mem::size_of;
use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::key::{CacheKey, KeyHasher};
use crate::ledger::Credit;

/// What an entry costs beside its bytes: handles, list links, its share of the hash table, and the
/// allocator's own.
const OVERHEAD: usize = size_of::<Recalled>() + 160;

/// About what an answer with one vector takes, to size the tables from the start.
const TYPICAL: u64 = 10_000;

/// An answer, and the values that it was written from.
#[derive(Debug)]
pub(super) struct Recalled {
    pub(super) parts: Box<[(CacheKey, Arc<[u8]>)]>,
    pub(super) answer: Bytes,
    pub(super) credit: Credit,
}

/// Answers by the bytes of their questions.
pub(super) struct Recall(Cache<Box<[u8]>, Arc<Recalled>, Weigher, KeyHasher>);

impl Recall {
    /// Room for so many bytes.
    pub(super) fn new(limit: u64, hasher: KeyHasher) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(usize::try_from(limit / TYPICAL).unwrap_or(0).max(64))
            .weight_capacity(limit)
            .build()
            .expect("both capacities are given");
        Self(Cache::with_options(options, Weigher, hasher, DefaultLifecycle::default()))
    }

    pub(super) fn get(&self, question: &[u8]) -> Option<Arc<Recalled>> {
        self.0.get(question)
    }

    pub(super) fn put(&self, question: &[u8], recalled: Recalled) {
        self.0.insert(question.into(), Arc::new(recalled));
    }

    pub(super) fn purge(&self) {
        self.0.clear();
    }

    /// The bytes that are held.
    pub(super) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}

/// Weighs an entry by what it alone holds: the values are the memory tier's, until it drops them.
#[derive(Debug, Clone)]
struct Weigher;

impl Weighter<Box<[u8]>, Arc<Recalled>> for Weigher {
    fn weight(&self, question: &Box<[u8]>, recalled: &Arc<Recalled>) -> u64 {
        let parts = recalled.parts.len() * size_of::<(CacheKey, Arc<[u8]>)>();
        (OVERHEAD + question.len() + parts + recalled.answer.len()) as u64
    }
}
