//! Where answers are kept: memory first, then what lasts, then what replicas share. A tier stores
//! plain bytes and knows nothing of what they mean.

mod breaker;
pub mod disk;
mod line;
pub mod memory;
pub mod page;
pub mod purge;
mod queue;
mod recall;
mod record;
pub mod redis;
pub mod remove;
mod seldom;
pub mod writes;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub use self::breaker::Trouble;
use self::disk::Disk;
use self::redis::Redis;
use crate::clock::{Clock, Moment};
use crate::key::CacheKey;
use crate::metrics::{Layer, LowerMetrics, Operation};
use memory::Memory;
use purge::{Mark, Purges, Reach};

/// A kept answer, with its age and its end.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The answer's bytes.
    pub value: Arc<[u8]>,
    /// When the provider gave it.
    pub stored: Moment,
    /// From when on it is not good any more.
    pub expires: Moment,
    /// Whose it is, and since which purge.
    pub mark: Mark,
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
    /// Whatever is good at a moment.
    pub fn at(now: Moment) -> Self {
        Self { now, max_age: None }
    }

    /// Whether an answer is good for this reader.
    pub fn accepts(&self, stored: &Stored) -> bool {
        let young = self.max_age.is_none_or(|max_age| self.now.since(stored.stored) <= max_age);
        young && self.now < stored.expires && stored.mark.holds()
    }
}

/// A tier below memory. Whatever goes wrong in it is a miss and a metric, never an error, and takes
/// no longer than its time.
#[async_trait]
pub trait Tier: fmt::Debug + Send + Sync {
    /// Its series.
    fn metrics(&self) -> &LowerMetrics;

    /// The reason why it is not used now; none where it is used.
    fn trouble(&self) -> Option<Trouble> {
        None
    }

    /// What there is under at most [`ROUND`] keys, in their order; `None` if that was not said in
    /// time.
    async fn get_many(&self, look: &Look<'_>) -> Option<Vec<Option<Stored>>>;

    /// Takes an entry on, to be written when it suits.
    fn put(&self, key: CacheKey, stored: &Stored);

    /// Notes what was purged, so that it outlives the process.
    async fn purged(&self) {}

    /// Writes what was taken on, before the process ends.
    async fn close(&self);
}

/// Keys that are looked up at once; more take several rounds, each with its own time.
pub const ROUND: usize = 128;

/// What is looked for in the tiers below memory.
#[derive(Debug)]
pub struct Look<'a> {
    /// Under which keys.
    pub keys: &'a [CacheKey],
    /// Whose they are; what was stored before its last purge is not there.
    pub mark: Mark,
    /// What the reader takes for good.
    pub fresh: Freshness,
    /// What for; a look that repeats another is for nothing, and is not counted.
    pub operation: Option<Operation>,
}

/// What the tiers below memory stand on.
#[derive(Clone)]
pub struct Ground {
    /// What entries are sealed with.
    pub secret: [u8; 32],
    /// What tells this process from others.
    pub instance: String,
    /// Time.
    pub clock: Clock,
    /// What was purged.
    pub purges: Arc<Purges>,
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground").finish_non_exhaustive()
    }
}

/// An answer that a tier below memory had.
#[derive(Debug)]
pub struct Deep {
    /// The answer.
    pub stored: Stored,
    /// The tier that had it.
    pub layer: Layer,
}

/// All tiers.
#[derive(Debug)]
pub struct Tiers {
    /// The first of them, asked without waiting.
    pub memory: Memory,
    /// The others, nearest first.
    lower: Vec<Arc<dyn Tier>>,
    /// The one of them whose entries can be gone through.
    disk: Option<Arc<Disk>>,
    /// The one of them where replicas tell each other what they ask for.
    pub shared: Option<Arc<Redis>>,
    /// What was purged.
    pub purges: Arc<Purges>,
    /// Who goes through all entries does so alone: it takes a processor to itself.
    walks: Arc<Semaphore>,
}

impl Tiers {
    /// Memory, and what is below it, nearest first.
    pub fn new(
        memory: Memory,
        disk: Option<Arc<Disk>>,
        shared: Option<Arc<Redis>>,
        purges: Arc<Purges>,
    ) -> Self {
        let as_tier = |disk: &Arc<Disk>| Arc::clone(disk) as Arc<dyn Tier>;
        let above = disk.iter().map(as_tier);
        let redis = shared.iter().map(|redis| Arc::clone(redis) as Arc<dyn Tier>);
        let lower = above.chain(redis).collect();
        Self { memory, lower, disk, shared, purges, walks: Arc::new(Semaphore::new(1)) }
    }

    /// Whether there is anything below memory.
    pub fn are_deep(&self) -> bool {
        !self.lower.is_empty()
    }

    /// Looks below memory. What is found is put into every tier above the one that had it.
    pub async fn dig(&self, look: &Look<'_>) -> Vec<Option<Deep>> {
        let mut found: Vec<Option<Deep>> = look.keys.iter().map(|_| None).collect();
        for (depth, tier) in self.lower.iter().enumerate() {
            let missing: Vec<usize> = positions_of_none(&found);
            let keys: Vec<CacheKey> =
                missing.iter().filter_map(|at| look.keys.get(*at).copied()).collect();
            if keys.is_empty() {
                break;
            }
            let there = ask(&**tier, &Look { keys: &keys, ..*look }).await;
            for ((at, key), stored) in missing.into_iter().zip(&keys).zip(there) {
                let Some(stored) = stored.filter(|stored| look.fresh.accepts(stored)) else {
                    continue;
                };
                self.memory.put(*key, stored.clone());
                self.lower.iter().take(depth).for_each(|above| above.put(*key, &stored));
                if let Some(place) = found.get_mut(at) {
                    *place = Some(Deep { stored, layer: tier.metrics().layer });
                }
            }
        }
        found
    }

    /// Keeps an answer: in memory at once, below it when it suits.
    pub fn put(&self, key: CacheKey, stored: Stored) {
        self.lower.iter().for_each(|tier| tier.put(key, &stored));
        self.memory.put(key, stored);
    }

    /// Forgets what a purge reaches; how many entries of it were in memory.
    pub async fn purge(&self, reaches: &[Reach]) -> u64 {
        for reach in reaches {
            self.purges.purge(reach);
        }
        let swept = self.memory.sweep();
        for tier in &self.lower {
            tier.purged().await;
        }
        swept
    }

    /// The tiers that are not used now, with the reason.
    pub fn troubles(&self) -> Vec<(Layer, Trouble)> {
        let trouble = |tier: &Arc<dyn Tier>| Some((tier.metrics().layer, tier.trouble()?));
        self.lower.iter().filter_map(trouble).collect()
    }

    /// Asks every tier below memory for something that is not there; how long that took, or `None` if
    /// it was not to be asked within a time.
    pub async fn probe(&self, patience: Duration) -> Vec<(Layer, Option<Duration>)> {
        let mut said = Vec::new();
        for tier in &self.lower {
            let asked = timeout(patience, probe(&**tier, &self.purges)).await;
            said.push((tier.metrics().layer, asked.ok()));
        }
        said
    }

    /// Writes what is still to be written, before the process ends.
    pub async fn close(&self) {
        for tier in &self.lower {
            tier.close().await;
        }
    }
}

/// Asks a tier round by round, until it does not say in time.
async fn ask(tier: &dyn Tier, look: &Look<'_>) -> Vec<Option<Stored>> {
    let (started, metrics) = (Instant::now(), tier.metrics());
    let mut found = Vec::with_capacity(look.keys.len());
    for keys in look.keys.chunks(ROUND) {
        let Some(round) = tier.get_many(&Look { keys, ..*look }).await else { break };
        found.extend(round);
    }
    if let Some(operation) = look.operation
        && !found.is_empty()
    {
        let hits = found.iter().flatten();
        hits.clone().for_each(|stored| metrics.used(look.fresh.now.since(stored.stored)));
        metrics.looked_up(operation, hits.count(), found.len());
        metrics.got(started.elapsed());
    }
    found.resize_with(look.keys.len(), || None);
    found
}

/// Waits for a tier to be ready, and asks it.
async fn probe(tier: &dyn Tier, purges: &Purges) -> Duration {
    let keys = [CacheKey::from_bytes([0; 32])];
    let fresh = Freshness::at(Clock::start().now());
    let look = Look { keys: &keys, mark: purges.scope("", "").mark(), fresh, operation: None };
    loop {
        let started = Instant::now();
        if tier.get_many(&look).await.is_some() {
            return started.elapsed();
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn positions_of_none<T>(found: &[Option<T>]) -> Vec<usize> {
    let numbered = found.iter().enumerate();
    numbered.filter_map(|(at, found)| found.is_none().then_some(at)).collect()
}
