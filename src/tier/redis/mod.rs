//! The shared tier: what any replica stored, in a Redis, Valkey, Cluster or behind Sentinels.
//!
//! Nothing about it ever fails a request. A look-up has a short time and a breaker before it; writes
//! and everything about the connection are the business of a thread of its own (`background`). What is
//! read is authenticated, so that nothing that somebody else wrote there is ever served.

mod address;
mod background;
mod breaker;
mod lease;
mod link;
mod names;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::line::Line;
use super::record::Sealer;
use super::seldom::Seldom;
use super::{Ground, Look, Stored, Tier};
use crate::config;
use crate::key::CacheKey;
use crate::metrics::{IntCounter, Layer, LowerMetrics};
use address::{Address, Link};
use background::Job;
use breaker::Breaker;
pub use lease::Lease;
use link::kind_of;
use names::Names;

/// How long anything may take that no request waits for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Keys that are looked up at once; more take several rounds, each with its own time.
const ROUND: usize = 128;

/// Jobs that may wait, beside the bound in bytes.
const JOBS: usize = 65_536;

/// What an entry costs in the queue beside its value.
const OVERHEAD: u64 = 256;

/// The shared tier.
pub struct Redis {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

/// What requests and the background have in common.
struct Shared {
    address: Address,
    names: Names,
    sealer: Sealer,
    ground: Ground,
    /// The server's clock.
    line: Line,
    link: RwLock<Option<Link>>,
    breaker: Breaker,
    metrics: LowerMetrics,
    leases: [IntCounter; 3],
    /// The names of the leases that this process has.
    held: Mutex<HashSet<String>>,
    /// What tells this process's leases from others'.
    token: String,
    queued: AtomicU64,
    refusals: Seldom,
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
            sealer: Sealer::new(ground.secret),
            token: ground.instance.clone(),
            ground,
            line: Line::default(),
            link: RwLock::default(),
            breaker: Breaker::open(metrics.breaker.clone()),
            metrics,
            leases,
            held: Mutex::default(),
            queued: AtomicU64::new(0),
            refusals: Seldom::new(),
            settings: settings.clone(),
        });
        background::start(Arc::clone(&shared), waiting).map_err(|error| error.to_string())?;
        Ok(Arc::new(Self { shared, jobs }))
    }

    /// The password of a URL, if it has one.
    pub fn password(settings: &config::Redis) -> Option<String> {
        let address = Address::read(settings.url.expose(), "").ok()?;
        address.password().map(str::to_owned)
    }

    /// Whether it is asked now.
    pub fn is_there(&self) -> bool {
        self.shared.breaker.is_closed()
    }

    /// Queues a job that takes so many bytes; whether there was room.
    fn queue(&self, job: Job, bytes: u64) -> bool {
        let queued = self.shared.queued.fetch_add(bytes, Ordering::AcqRel) + bytes;
        let room = queued <= self.shared.settings.max_queued.0;
        let taken = room && self.jobs.try_send(job).is_ok();
        if !taken {
            self.shared.queued.fetch_sub(bytes, Ordering::AcqRel);
        }
        self.shared.note_queue();
        taken
    }
}

#[async_trait]
impl Tier for Redis {
    fn layer(&self) -> Layer {
        Layer::Redis
    }

    async fn get_many(&self, look: &Look<'_>) -> Vec<Option<Stored>> {
        let started = Instant::now();
        let mut found = Vec::with_capacity(look.keys.len());
        for keys in look.keys.chunks(ROUND) {
            let Some(values) = self.shared.round(keys).await else { break };
            for (key, value) in keys.iter().zip(values) {
                found.push(value.and_then(|bytes| self.open(key, &bytes, look)));
            }
        }
        let asked = found.len();
        let hits = found.iter().flatten().count();
        if let Some(operation) = look.operation
            && asked > 0
        {
            self.shared.metrics.looked_up(operation, hits, asked - hits);
            self.shared.metrics.got(started.elapsed());
        }
        found.resize_with(look.keys.len(), || None);
        found
    }

    fn put(&self, key: CacheKey, stored: &Stored) {
        if !self.is_there() {
            return self.shared.metrics.rejected("unavailable");
        }
        let bytes = stored.value.len() as u64 + OVERHEAD;
        if !self.queue(Job::Write(key, stored.clone()), bytes) {
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
        let Some(record) = self.shared.sealer.open(key, bytes) else {
            self.shared.metrics.failed("corrupt");
            // If that cannot be queued, the next to find it will try again.
            self.queue(Job::Delete(self.shared.names.entry(key)), OVERHEAD);
            return None;
        };
        if record.generation != look.mark.generation {
            return None;
        }
        let now = look.fresh.now;
        let (stored, expires) = self.shared.line.moments(record.stored, record.expires, now)?;
        self.shared.metrics.used(now.since(stored));
        Some(Stored { value: record.value.into(), stored, expires, mark: look.mark })
    }
}

impl Shared {
    /// What there is under some keys; `None` if it was not said in time.
    async fn round(&self, keys: &[CacheKey]) -> Option<Vec<Option<Vec<u8>>>> {
        let link = self.link()?;
        let names: Vec<String> = keys.iter().map(|key| self.names.entry(key)).collect();
        self.in_time(link.get(&names)).await
    }

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
        match timeout(self.settings.timeout, ask).await {
            Ok(Ok(answer)) => {
                self.breaker.succeeded();
                Some(answer)
            }
            Ok(Err(error)) => {
                self.failed(&error);
                None
            }
            Err(_) => {
                self.metrics.failed("timeout");
                self.breaker.failed("timeout");
                None
            }
        }
    }

    /// Counts a failure. One that the server itself tells of is no reason not to ask it again.
    fn failed(&self, error: &redis::RedisError) {
        let kind = kind_of(error);
        self.metrics.failed(kind);
        if kind != "refused" {
            self.breaker.failed(kind);
        } else if self.refusals.may(self.ground.clock.now()) {
            tracing::warn!(code = error.code(), "redis refuses what it is asked");
        }
    }

    fn note_queue(&self) {
        let queued = self.queued.load(Ordering::Relaxed);
        self.metrics.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("breaker", &self.shared.breaker).finish_non_exhaustive()
    }
}
