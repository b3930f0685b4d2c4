//! The memory tier: concrete and synchronous, because a hit ends here.
//!
//! Bounded in bytes really held, so that a batch of large answers cannot push memory over its
//! limit; what goes first is `quick_cache`'s business (S3-FIFO: an entry that was asked for again
//! outlives a scan of entries that were not).

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ::bytes::Bytes as Answer;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::recall::{Recall, Recalled};
use super::{Freshness, Stored};
use crate::clock::Moment;
use crate::key::{CacheKey, KeyHasher};
use crate::metrics::TierMetrics;

/// What an entry costs beside its value: key, handle, list links, its share of the hash table, and
/// the allocator's own. Measured as process growth over 100,000 entries (`tests/it/memory.rs`).
const OVERHEAD: usize = size_of::<CacheKey>() + size_of::<Entry>() + 96;

/// The share of the limit that is for whole answers: one part in so many.
const RECALL_SHARE: u64 = 8;

/// A value that is about what an embedding takes, to size the tables from the start.
const TYPICAL_VALUE: u64 = 6_400;

#[derive(Debug, Clone)]
struct Entry {
    stored: Stored,
    epoch: u32,
}

/// A whole answer that is still what the tier's values make.
#[derive(Debug)]
pub struct Recollection {
    /// The answer as it was written.
    pub answer: Answer,
    /// How many values it is made of.
    pub parts: usize,
    /// When the oldest of them was stored.
    pub stored: Moment,
    /// When the first of them ends.
    pub expires: Moment,
}

/// The answers that are in memory.
pub struct Memory {
    cache: Cache<CacheKey, Entry, Bytes, KeyHasher, Tally>,
    recall: Recall,
    epoch: AtomicU64,
    tally: Tally,
}

impl Memory {
    /// A tier that holds so many bytes.
    pub fn new(limit: u64, hasher: KeyHasher, metrics: TierMetrics) -> Self {
        let for_answers = limit / RECALL_SHARE;
        let for_values = limit - for_answers;
        let entries = usize::try_from(for_values / TYPICAL_VALUE).unwrap_or(0).max(64);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries)
            .weight_capacity(for_values)
            .build()
            .expect("both capacities are given");
        metrics.limit_bytes.set(i64::try_from(limit).unwrap_or(i64::MAX));
        let tally = Tally { metrics: Arc::new(metrics), stored_sum: Arc::default() };
        let recall = Recall::new(for_answers, hasher.clone());
        let cache = Cache::with_options(options, Bytes, hasher, tally.clone());
        Self { cache, recall, epoch: AtomicU64::new(0), tally }
    }

    /// The answer under a key, if there is one that this reader takes for good.
    pub fn get(&self, key: &CacheKey, freshness: &Freshness) -> Option<Stored> {
        let entry = self.cache.get(key)?;
        let good = entry.epoch == self.epoch() && freshness.accepts(&entry.stored);
        good.then_some(entry.stored)
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
        Some(Recollection { answer, parts, stored, expires })
    }

    /// Keeps the whole answer to a question, with the values that it was written from.
    pub fn remember(&self, question: &[u8], parts: Vec<(CacheKey, Arc<[u8]>)>, answer: Answer) {
        let parts = parts.into();
        self.recall.put(question, Recalled { parts, answer });
    }

    /// Keeps an answer under its key.
    pub fn put(&self, key: CacheKey, stored: Stored) {
        if let Some((_, old)) = self.cache.remove(&key) {
            self.tally.forget(&old);
        }
        let entry = Entry { stored, epoch: self.epoch() };
        self.tally.metrics.insertions.inc();
        self.tally.stored_sum.fetch_add(entry.stored.stored.as_seconds(), Ordering::Relaxed);
        self.cache.insert(key, entry);
    }

    /// Forgets everything. Answers that are on their way keep what they hold.
    pub fn purge(&self) -> usize {
        let entries = self.cache.len();
        // Whoever still writes an answer of the old epoch writes what nobody will read.
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.cache.clear();
        self.recall.purge();
        self.tally.stored_sum.store(0, Ordering::Relaxed);
        self.tally.metrics.purged.inc_by(entries as u64);
        entries
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

    #[expect(clippy::cast_possible_truncation, reason = "four billion purges apart is far enough")]
    fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire) as u32
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
struct Bytes;

impl Weighter<CacheKey, Entry> for Bytes {
    fn weight(&self, _key: &CacheKey, entry: &Entry) -> u64 {
        (OVERHEAD + entry.stored.value.len()) as u64
    }
}

/// Keeps count of what comes and goes.
#[derive(Debug, Clone)]
struct Tally {
    metrics: Arc<TierMetrics>,
    /// The sum of the seconds at which the present entries were stored.
    stored_sum: Arc<AtomicI64>,
}

impl Tally {
    fn forget(&self, entry: &Entry) {
        self.stored_sum.fetch_sub(entry.stored.stored.as_seconds(), Ordering::Relaxed);
    }
}

impl Lifecycle<CacheKey, Entry> for Tally {
    type RequestState = ();

    fn on_evict(&self, _state: &mut (), _key: CacheKey, entry: Entry) {
        self.forget(&entry);
        self.metrics.evicted.inc();
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::key::{Digest, Place};
    use crate::metrics::Metrics;
    use crate::request::Input;

    fn memory(limit: u64) -> Memory {
        Memory::new(limit, KeyHasher::new(&[1; 32]), Metrics::new().expect("fresh").tier("memory"))
    }

    fn key(n: u64) -> CacheKey {
        CacheKey::of(&Digest::of(b"test"), &Input::Tokens(Cow::Owned(vec![n])), Place::Anywhere)
    }

    fn stored(now: Moment, length: usize) -> Stored {
        Stored { value: vec![0; length].into(), stored: now, expires: Moment::NEVER }
    }

    #[test]
    fn the_limit_holds_in_bytes() {
        let limit = 4 << 20;
        let memory = memory(limit);
        let now = Clock::start().now();
        for n in 0..10_000_usize {
            memory.put(key(n as u64), stored(now, 1_000 + (n * 37) % 5_000));
        }
        memory.observe(now);
        assert!(memory.cache.weight() <= limit);
        assert!(memory.cache.weight() > limit / 2, "{}", memory.cache.weight());
        assert!(memory.tally.metrics.evicted.get() > 5_000);
    }

    #[test]
    fn an_entry_larger_than_the_tier_is_not_kept_and_harms_nobody() {
        let memory = memory(1 << 20);
        let now = Clock::start().now();
        let fresh = Freshness { now, max_age: None };
        memory.put(key(1), stored(now, 100));
        memory.put(key(2), stored(now, 2 << 20));
        assert!(memory.get(&key(2), &fresh).is_none());
        assert!(memory.get(&key(1), &fresh).is_some());
    }

    #[test]
    fn time_to_live_and_max_age_end_an_entry() {
        let memory = memory(1 << 20);
        let now = Clock::start().now();
        let expires = now.after(Duration::from_secs(10));
        memory.put(key(1), Stored { expires, ..stored(now, 10) });
        let get = |seconds, max_age| {
            let now = now.after(Duration::from_secs(seconds));
            memory.get(&key(1), &Freshness { now, max_age }).is_some()
        };
        assert!(get(9, None));
        assert!(!get(10, None));
        assert!(get(5, Some(5)));
        assert!(!get(6, Some(5)));
    }

    #[test]
    fn a_whole_answer_is_recalled_while_it_is_what_the_values_make() {
        let memory = memory(1 << 20);
        let now = Clock::start().now();
        let at =
            |seconds| Freshness { now: now.after(Duration::from_secs(seconds)), max_age: None };
        let old = Stored { expires: now.after(Duration::from_secs(20)), ..stored(now, 10) };
        let new = Stored { stored: now.after(Duration::from_secs(5)), ..stored(now, 10) };
        let parts = vec![(key(1), Arc::clone(&old.value)), (key(2), Arc::clone(&new.value))];
        memory.put(key(1), old.clone());
        memory.put(key(2), new);
        memory.remember(b"question", parts, Answer::from_static(b"answer"));

        let recalled = memory.recall(b"question", &at(9)).unwrap();
        assert_eq!((&recalled.answer[..], recalled.parts), (&b"answer"[..], 2));
        assert_eq!((recalled.stored, recalled.expires), (now, old.expires));
        assert!(memory.recall(b"another", &at(9)).is_none());
        assert!(memory.recall(b"question", &at(20)).is_none());
        assert!(memory.recall(b"question", &Freshness { max_age: Some(8), ..at(9) }).is_none());
        // The same bytes, but another answer of the provider's.
        memory.put(key(2), stored(now, 10));
        assert!(memory.recall(b"question", &at(9)).is_none());
    }

    #[test]
    fn a_purge_forgets_whole_answers() {
        let memory = memory(1 << 20);
        let now = Clock::start().now();
        let one = stored(now, 10);
        memory.put(key(1), one.clone());
        memory.remember(b"q", vec![(key(1), Arc::clone(&one.value))], Answer::from_static(b"a"));
        memory.purge();
        memory.put(key(1), one);
        assert!(memory.recall(b"q", &Freshness { now, max_age: None }).is_none());
    }

    #[test]
    fn a_purge_leaves_nothing() {
        let memory = memory(1 << 20);
        let now = Clock::start().now();
        memory.put(key(1), stored(now, 10));
        assert_eq!(memory.purge(), 1);
        assert!(memory.get(&key(1), &Freshness { now, max_age: None }).is_none());
        memory.observe(now.after(Duration::from_secs(100)));
        assert!(memory.tally.metrics.average_age.get().abs() < f64::EPSILON);
    }

    #[test]
    fn the_average_age_follows_replacements_and_evictions() {
        let memory = memory(1 << 20);
        let start = Clock::start().now();
        let at = |seconds| start.after(Duration::from_secs(seconds));
        for round in 1..=3 {
            for n in 0..100 {
                memory.put(key(n), stored(at(round * 10), 100));
            }
        }
        memory.observe(at(50));
        assert!((memory.tally.metrics.average_age.get() - 20.0).abs() < 0.01);
    }
}
