//! The memory tier: concrete and synchronous, because a hit ends here.
//!
//! Bounded in bytes really held, so that a batch of large answers cannot push memory over its
//! limit; what goes first is `quick_cache`'s business (S3-FIFO: an entry that was asked for again
//! outlives a scan of entries that were not).

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::{Freshness, Stored};
use crate::clock::Moment;
use crate::key::{CacheKey, KeyHasher};
use crate::metrics::TierMetrics;

/// What an entry costs beside its value: key, handle, list links, its share of the hash table, and
/// the allocator's own. Measured as process growth over 100,000 entries (`tests/it/memory.rs`).
const OVERHEAD: usize = size_of::<CacheKey>() + size_of::<Entry>() + 96;

/// A value that is about what an embedding takes, to size the tables from the start.
const TYPICAL_VALUE: u64 = 6_400;

#[derive(Debug, Clone)]
struct Entry {
    stored: Stored,
    epoch: u32,
}

/// The answers that are in memory.
pub struct Memory {
    cache: Cache<CacheKey, Entry, Bytes, KeyHasher, Tally>,
    epoch: AtomicU64,
    tally: Tally,
}

impl Memory {
    /// A tier that holds so many bytes.
    pub fn new(limit: u64, hasher: KeyHasher, metrics: TierMetrics) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(usize::try_from(limit / TYPICAL_VALUE).unwrap_or(0).max(64))
            .weight_capacity(limit)
            .build()
            .expect("both capacities are given");
        metrics.limit_bytes.set(i64::try_from(limit).unwrap_or(i64::MAX));
        let tally = Tally { metrics: Arc::new(metrics), stored_sum: Arc::default() };
        let cache = Cache::with_options(options, Bytes, hasher, tally.clone());
        Self { cache, epoch: AtomicU64::new(0), tally }
    }

    /// The answer under a key, if there is one that this reader takes for good.
    pub fn get(&self, key: &CacheKey, freshness: &Freshness) -> Option<Stored> {
        let entry = self.cache.get(key)?;
        let good = entry.epoch == self.epoch() && freshness.accepts(&entry.stored);
        good.then_some(entry.stored)
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
        self.tally.stored_sum.store(0, Ordering::Relaxed);
        self.tally.metrics.purged.inc_by(entries as u64);
        entries
    }

    /// Sets the gauges that only a scrape needs.
    pub fn observe(&self, now: Moment) {
        let entries = i64::try_from(self.cache.len()).unwrap_or(i64::MAX);
        let bytes = i64::try_from(self.cache.weight()).unwrap_or(i64::MAX);
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
