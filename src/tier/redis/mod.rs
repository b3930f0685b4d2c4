//! The shared tier: what any replica stored, in a Redis, Valkey, Cluster or behind Sentinels.
//!
//! Nothing about it ever fails a request. A look-up has a short time and a breaker before it; writes
//! and everything about the connection are the business of a thread of its own (`background`). What is
//! read is authenticated, so that nothing that somebody else wrote there is ever served.

mod address;
mod background;
mod diagnose;
mod lease;
mod link;
mod names;
mod writes;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::breaker::Breaker;
use super::queue::Queue;
use super::record::{Found, Records};
use super::seldom::Seldom;
use super::{Ground, Look, Stored, Tier, Trouble};
use crate::config;
use crate::key::CacheKey;
use crate::metrics::{IntCounter, Layer, LowerMetrics};
use address::{Address, Link};
use background::Job;
use diagnose::{Fault, is_servers, kind_of};
pub use lease::Lease;
use names::Names;
use writes::Told;

/// How long anything may take that no request waits for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a removal may take: what is queued before it is written first.
const REMOVAL: Duration = Duration::from_secs(30);

/// How late a timer may be.
const LATE: Duration = Duration::from_millis(1);

/// Jobs that may wait, beside the bound in bytes.
const JOBS: usize = 65_536;

/// The shared tier.
pub struct Redis {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

/// What requests and the background have in common.
struct Shared {
    address: Address,
    names: Names,
    /// On the line of the server's clock.
    records: Records,
    ground: Ground,
    link: RwLock<Option<Link>>,
    breaker: Breaker,
    metrics: LowerMetrics,
    leases: [IntCounter; 3],
    /// The names of the leases that this process has.
    held: Mutex<HashSet<String>>,
    /// What tells this process's leases from others'.
    token: String,
    queue: Queue,
    /// Entries that the server had evicted when it was last listened to; -1 before that.
    evicted: AtomicI64,
    refusals: Seldom,
    /// What the other replicas know of writes to stores, and what of theirs is known here.
    told: Mutex<Told>,
    settings: config::Redis,
}

impl Redis {
    /// Begins to connect, in the background; an error says what is wrong with the settings.
    pub fn start(
        settings: &config::Redis,
        ground: Ground,
        metrics: LowerMetrics,
        leases: [IntCounter; 3],
    ) -> Result<Arc<Self>, String> {
        let address = Address::read(settings.url.expose(), &settings.ca_file)
            .map_err(|error| format!("redis.url: {error}"))?;
        let (jobs, waiting) = mpsc::channel(JOBS);
        let shared = Arc::new(Shared {
            address,
            names: Names::new(&settings.prefix),
            records: Records::new(ground.secret),
            token: ground.instance.clone(),
            ground,
            link: RwLock::default(),
            breaker: Breaker::open(Layer::Redis, metrics.breaker.clone()),
            queue: Queue::new(settings.max_queued.0, metrics.queued.clone()),
            metrics,
            leases,
            held: Mutex::default(),
            evicted: AtomicI64::new(-1),
            refusals: Seldom::new(),
            told: Mutex::default(),
            settings: settings.clone(),
        });
        background::start(Arc::clone(&shared), waiting).map_err(|error| error.to_string())?;
        Ok(Arc::new(Self { shared, jobs }))
    }

    /// The reason why the server does not answer, in the words of the system or of the server.
    pub async fn diagnose(settings: &config::Redis) -> String {
        diagnose::reason(settings).await
    }

    /// The password of a URL, if it has one.
    pub fn password(settings: &config::Redis) -> Option<String> {
        let address = Address::read(settings.url.expose(), "").ok()?;
        address.password().map(str::to_owned)
    }

    /// Removes entries, and what is queued of them; how many were there. An error says why not.
    pub async fn remove(&self, keys: &[CacheKey]) -> Result<u64, &'static str> {
        let (done, told) = oneshot::channel();
        let busy = "tier down, or its queue is full";
        self.jobs.try_send(Job::Remove(keys.to_vec(), done)).map_err(|_| busy)?;
        timeout(REMOVAL, told).await.map_err(|_| busy)?.map_err(|_| busy)?
    }

    /// Whether it answered when it was last asked. A request that waited in vain once does not wait for
    /// it again.
    pub fn is_well(&self) -> bool {
        self.shared.breaker.is_well()
    }
}

#[async_trait]
impl Tier for Redis {
    fn metrics(&self) -> &LowerMetrics {
        &self.shared.metrics
    }

    fn trouble(&self) -> Option<Trouble> {
        self.shared.breaker.trouble()
    }

    async fn get_many(&self, look: &Look<'_>) -> Option<Vec<Option<Stored>>> {
        let link = self.shared.link()?;
        let names: Vec<String> = look.keys.iter().map(|key| self.shared.names.entry(key)).collect();
        let values = self.shared.in_time(link.get(&names)).await?;
        let values = look.keys.iter().zip(values);
        Some(values.map(|(key, value)| self.open(key, &value?, look)).collect())
    }

    fn put(&self, key: CacheKey, stored: &Stored) {
        if !self.shared.breaker.is_closed() {
            return self.shared.metrics.rejected("unavailable");
        }
        if !self.shared.queue.take(stored) {
            return self.shared.metrics.rejected("queue_full");
        }
        if self.jobs.try_send(Job::Write(key, stored.clone())).is_err() {
            self.shared.queue.give(stored);
            self.shared.metrics.rejected("queue_full");
        }
    }

    async fn close(&self) {
        let (done, closed) = oneshot::channel();
        // Whoever does not come to an end in time is left behind.
        let ending = async {
            if self.jobs.send(Job::Close(done)).await.is_ok() {
                drop(closed.await);
            }
        };
        drop(timeout(2 * PATIENCE, ending).await);
    }
}

impl Redis {
    /// An entry from its bytes, if it is one, and still good.
    fn open(&self, key: &CacheKey, bytes: &[u8], look: &Look<'_>) -> Option<Stored> {
        match self.shared.records.read(key, bytes, look) {
            Found::Good(stored) => Some(stored),
            Found::Gone => None,
            Found::Corrupt => {
                self.shared.metrics.failed("corrupt");
                // If that cannot be queued, the next to find it will try again.
                drop(self.jobs.try_send(Job::Delete(self.shared.names.entry(key))));
                None
            }
        }
    }
}

impl Shared {
    /// The connection, unless it is not to be used now.
    fn link(&self) -> Option<Link> {
        if !self.breaker.is_closed() {
            return None;
        }
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_link(&self, link: Option<Link>) {
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = link;
    }

    /// An answer within the time that a request has for it.
    async fn in_time<T>(&self, ask: impl Future<Output = redis::RedisResult<T>>) -> Option<T> {
        let time = self.settings.timeout;
        match timeout(time.saturating_sub(LATE), ask).await {
            Ok(Ok(answer)) => {
                self.breaker.succeeded();
                Some(answer)
            }
            Ok(Err(error)) => {
                self.failed(&error);
                None
            }
            Err(_) => {
                self.late(time);
                None
            }
        }
    }

    /// Counts a response that did not come within a time.
    fn late(&self, time: Duration) {
        self.metrics.failed("timeout");
        self.breaker.failed(|| Fault::late(self, time).reason);
    }

    /// Counts a failure. One that the server itself tells of is no reason not to ask it again.
    fn failed(&self, error: &redis::RedisError) {
        let kind = kind_of(error);
        self.metrics.failed(kind);
        if !is_servers(kind) {
            self.breaker.failed(|| Fault::of(self, error).reason);
        } else if self.refusals.may(self.ground.clock.now()) {
            let reason = Fault::of(self, error).reason;
            tracing::warn!(kind, "redis rejected a command: {reason}");
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("breaker", &self.shared.breaker).finish_non_exhaustive()
    }
}
