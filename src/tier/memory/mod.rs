//! The memory tier: concrete and synchronous, because a hit ends here.
//!
//! Bounded in bytes really held, so that a batch of large answers cannot push memory over its
//! limit; what goes first is `quick_cache`'s business (S3-FIFO: an entry that was asked for again
//! outlives a scan of entries that were not).

use std::fmt;
use std::mem::size_of;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::recall::{Recall, Recalled};
use super::{Freshness, Stored};
use crate::clock::{Clock, Moment};
use crate::key::{CacheKey, KeyHasher};
use crate::ledger::Credit;
use crate::metrics::TierMetrics;

/// What an entry costs beside its value: key, handle, list links, its share of the hash table, and
/// the allocator's own. Measured as process growth over 100,000 entries (`tests/it/memory.rs`).
const OVERHEAD: usize = size_of::<CacheKey>() + size_of::<Stored>() + 96;

/// The share of the limit that is for whole answers: one part in so many.
const RECALL_SHARE: u64 = 8;

/// A value that is about what an embedding takes, to size the tables from the start.
const TYPICAL_VALUE: u64 = 6_400;

/// How much of a tier's limit is for values.
pub fn room_for_values(limit: u64) -> u64 {
    limit - limit / RECALL_SHARE
}

/// What an entry with a value of so many bytes weighs.
pub fn weight(value: usize) -> u64 {
    (OVERHEAD + value) as u64
}

/// A whole answer that is still what the tier's values make.
#[derive(Debug)]
pub struct Recollection {
    /// The answer as it was written.
    pub answer: Bytes,
    /// How many values it is made of.
    pub parts: usize,
    /// When the oldest of them was stored.
    pub stored: Moment,
    /// When the first of them ends.
    pub expires: Moment,
    /// What it is to be credited with.
    pub credit: Credit,
}

/// The answers that are in memory.
pub struct Memory {
    cache: Cache<CacheKey, Stored, Weigher, KeyHasher, Tally>,
    recall: Recall,
    tally: Tally,
}

impl Memory {
    /// A tier that holds so many bytes.
    pub fn new(limit: u64, hasher: KeyHasher, (metrics, clock): (TierMetrics, Clock)) -> Self {
        let for_values = room_for_values(limit);
        let for_answers = limit - for_values;
        let entries = usize::try_from(for_values / TYPICAL_VALUE).unwrap_or(0).max(64);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries)
            .weight_capacity(for_values)
            .build()
            .expect("both capacities are given");
        metrics.limit_bytes.set(i64::try_from(limit).unwrap_or(i64::MAX));
        let tally = Tally { metrics: Arc::new(metrics), clock, stored_sum: Arc::default() };
        let recall = Recall::new(for_answers, hasher.clone());
        let cache = Cache::with_options(options, Weigher, hasher, tally.clone());
        Self { cache, recall, tally }
    }

    /// The answer under a key, if there is one that this reader takes for good.
    pub fn get(&self, key: &CacheKey, freshness: &Freshness) -> Option<Stored> {
        self.cache.get(key).filter(|stored| freshness.accepts(stored))
    }

    /// The answer under a key, even if it ended so many seconds ago.
    pub fn get_stale(&self, key: &CacheKey, now: Moment, seconds: u64) -> Option<Stored> {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let good = |stored: &Stored| now < stored.expires.after_seconds(seconds);
        self.cache.get(key).filter(|stored| stored.mark.holds() && good(stored))
    }

    /// The whole answer to a question that was asked before in the same bytes, if it was written
    /// from the very values that the tier holds now, and this reader takes them for good.
    pub fn recall(&self, question: &[u8], freshness: &Freshness) -> Option<Recollection> {
        let recalled = self.recall.get(question)?;
        let (mut stored, mut expires) = (freshness.now, Moment::NEVER);
        for (key, value) in &recalled.parts {
            let held = self.get(key, freshness)?;
            if !Arc::ptr_eq(value, &held.value) {
                return None;
            }
            stored = stored.min(held.stored);
            expires = expires.min(held.expires);
        }
        let (answer, parts) = (recalled.answer.clone(), recalled.parts.len());
        Some(Recollection { answer, parts, stored, expires, credit: recalled.credit.clone() })
    }

    /// Keeps the whole answer to a question, with the values that it was written from.
    pub fn remember(
        &self,
        question: &[u8],
        parts: Vec<(CacheKey, Arc<[u8]>)>,
        (answer, credit): (Bytes, Credit),
    ) {
        let parts = parts.into();
        self.recall.put(question, Recalled { parts, answer, credit });
    }

    /// Keeps an answer under its key.
    pub fn put(&self, key: CacheKey, stored: Stored) {
        if let Some((_, old)) = self.cache.remove(&key) {
            self.tally.forget(&old);
        }
        self.tally.metrics.insertions.inc();
        self.tally.stored_sum.fetch_add(stored.stored.as_seconds(), Ordering::Relaxed);
        self.cache.insert(key, stored);
    }

    /// The entry under a key, for who does not use it: what was purged is not there, what has ended is.
    pub fn peek(&self, key: &CacheKey) -> Option<Stored> {
        self.cache.peek(key).filter(|stored| stored.mark.holds())
    }

    /// Visits the entries that were not purged, in no order, until the visitor has enough. A shard is
    /// locked for one step at a time, so that nobody who looks something up waits for this. What is
    /// replaced meanwhile may be seen before and after, or not at all.
    pub fn each(&self, mut visit: impl FnMut(CacheKey, &Stored) -> ControlFlow<()>) {
        for (key, stored) in self.cache.iter() {
            if stored.mark.holds() && visit(key, &stored).is_break() {
                return;
            }
        }
    }

    /// Removes some entries; how many were there.
    pub fn remove(&self, keys: &[CacheKey]) -> u64 {
        let mut removed = 0;
        for key in keys {
            if let Some((_, stored)) = self.cache.remove(key) {
                self.tally.forget(&stored);
                removed += 1;
            }
        }
        self.tally.metrics.purged.inc_by(removed);
        removed
    }

    /// Gives back the room of whole answers. None was of use any more that is made of what was removed.
    pub fn forget_answers(&self) {
        self.recall.purge();
    }

    /// Gives back the room of what was purged, which nobody could read any more; how many entries
    /// that were.
    pub fn sweep(&self) -> u64 {
        let swept = AtomicU64::new(0);
        self.cache.retain(|_, stored| {
            let stays = stored.mark.holds();
            if !stays {
                swept.fetch_add(1, Ordering::Relaxed);
                self.tally.forget(stored);
            }
            stays
        });
        self.forget_answers();
        let swept = swept.into_inner();
        self.tally.metrics.purged.inc_by(swept);
        swept
    }

    /// Sets the gauges that only a scrape needs.
    pub fn observe(&self, now: Moment) {
        let entries = i64::try_from(self.cache.len()).unwrap_or(i64::MAX);
        let held = self.cache.weight() + self.recall.bytes();
        let bytes = i64::try_from(held).unwrap_or(i64::MAX);
        let sum = self.tally.stored_sum.load(Ordering::Relaxed);
        self.tally.metrics.entries.set(entries);
        self.tally.metrics.bytes.set(bytes);
        self.tally.metrics.average_age.set(average_age(now, sum, entries));
    }
}

#[expect(clippy::cast_precision_loss, reason = "an average for people")]
fn average_age(now: Moment, stored_sum: i64, entries: i64) -> f64 {
    if entries == 0 {
        return 0.0;
    }
    (now.as_seconds() as f64 - stored_sum as f64 / entries as f64).max(0.0)
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("entries", &self.cache.len())
            .field("bytes", &self.cache.weight())
            .finish_non_exhaustive()
    }
}

/// Weighs an entry by the bytes that it really holds.
#[derive(Debug, Clone)]
struct Weigher;

impl Weighter<CacheKey, Stored> for Weigher {
    fn weight(&self, _key: &CacheKey, stored: &Stored) -> u64 {
        weight(stored.value.len())
    }
}

/// Keeps count of what comes and goes.
#[derive(Debug, Clone)]
struct Tally {
    metrics: Arc<TierMetrics>,
    clock: Clock,
    /// The sum of the seconds at which the present entries were stored.
    stored_sum: Arc<AtomicI64>,
}

impl Tally {
    fn forget(&self, entry: &Stored) {
        self.stored_sum.fetch_sub(entry.stored.as_seconds(), Ordering::Relaxed);
    }
}

impl Lifecycle<CacheKey, Stored> for Tally {
    type RequestState = ();

    fn on_evict(&self, _state: &mut (), _key: CacheKey, entry: Stored) {
        self.forget(&entry);
        self.metrics.evicted(self.clock.now().since(entry.stored));
    }
}

#[cfg(test)]
mod tests;
