//! The disk tier: answers that outlive the process.
//!
//! Nothing about it ever fails a request. It opens in the background; a look-up waits for that, and for
//! the disk, no longer than its time, on threads that may wait. Writes, and everything else that is
//! done to the directory, are the business of a thread of its own (`background`).
//!
//! # Why a log of our own (2026-11-24)
//!
//! Measured on two cores that others used too: 100,000 records of 6,240 random bytes, no sync per
//! write, warm page cache; medians of six interleaved runs. fjall had its values apart and
//! uncompressed, redb 64 records to a transaction and a durable one in 64; both a cache of 64 MiB.
//!
//! | | this log | fjall 3.1 | redb 4.6 |
//! | --- | --: | --: | --: |
//! | writes, records/s (MB/s) | 134,000 (840) | 30,000 (185) | 23,000 (142) |
//! | bytes on disk for a record | 6,300 | 6,360 to 7,040 | 8,280 |
//! | memory while writing, MB | 4 | 195 | 70 |
//! | hit, one thread, p50 / p99 µs | 4.0 / 12.7 | 8.2 / 18.8 | 6.2 / 14.1 |
//! | miss, one thread, p50 / p99 µs | 0.10 / 0.41 | 1.0 / 2.5 | 6.1 / 14.0 |
//! | hits, two threads, per s | 296,000 | 153,000 | 142,000 |
//! | opening after a clean end, ms (then the first hit, µs) | 10 (11) | 50 (330) | 1.2 (24) |
//! | opening after a kill while writing, ms | 67 | 300 | 950 |
//! | records lost by that kill | none | none | up to 4,096 |
//! | bounded to half of the data | yes, the oldest go | its FIFO compaction panics on random keys | no bound, and the file does not shrink |
//! | crates more; binary, MB; building, s of CPU | 0; 0.5; 11 | 46; 1.7; 59 | 2; 1.5; 32 |
//!
//! The log was chosen: a cache needs a bound in bytes above all, which neither of the others has for
//! random keys, and it is the fastest of the three but for opening after a clean end.

mod anchor;
mod background;
pub mod directory;
pub mod log;
mod notes;
mod reading;
pub mod shelf;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::breaker::Breaker;
use super::queue::Queue;
use super::record::{Found, Records};
use super::seldom::Seldom;
use super::{Ground, Look, Stored, Tier, Trouble};
use crate::config;
use crate::key::CacheKey;
use crate::metrics::{Layer, LowerMetrics};
use crate::os_error::plain;
use background::Job;
use directory::Directory;
use log::Log;
pub use reading::Reading;

/// How long anything may take that only the end of the process, or a purge, waits for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long whoever finds the queue full waits until it looks again.
const FULL: Duration = Duration::from_millis(5);

/// Look-ups that may wait for the disk at once.
const READERS: usize = 16;

/// Jobs that may wait, beside the bound in bytes.
const JOBS: usize = 65_536;

/// The disk tier.
pub struct Disk {
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
}

/// What requests and the background have in common.
struct Shared {
    directory: Directory,
    /// On the line of the directory.
    records: Records,
    ground: Ground,
    state: watch::Sender<State>,
    breaker: Breaker,
    metrics: LowerMetrics,
    readers: Arc<Semaphore>,
    queue: Queue,
    corruptions: Seldom,
    refusals: Seldom,
    settings: config::Disk,
}

/// How far the background is.
#[derive(Clone)]
enum State {
    /// It will not be long.
    Opening,
    /// There is nothing to ask, for now or for good.
    Closed,
    Open(Arc<Log>),
}

impl Disk {
    /// Begins to open what is in a directory, in the background.
    pub fn start(
        settings: &config::Disk,
        directory: Directory,
        ground: Ground,
        metrics: LowerMetrics,
    ) -> io::Result<Arc<Self>> {
        let (jobs, waiting) = sync_channel(JOBS);
        metrics.tier.limit_bytes.set(i64::try_from(settings.size.0).unwrap_or(i64::MAX));
        let shared = Arc::new(Shared {
            directory,
            records: Records::new(ground.secret),
            ground,
            state: watch::Sender::new(State::Opening),
            breaker: Breaker::open(Layer::Disk, metrics.breaker.clone()),
            queue: Queue::new(settings.max_queued.0, metrics.queued.clone()),
            metrics,
            readers: Arc::new(Semaphore::new(READERS)),
            corruptions: Seldom::new(),
            refusals: Seldom::new(),
            settings: settings.clone(),
        });
        background::start(Arc::clone(&shared), waiting)?;
        Ok(Arc::new(Self { shared, jobs }))
    }

    /// Waits for the background to have done a job, if it is not too long.
    async fn done(&self, job: impl FnOnce(oneshot::Sender<()>) -> Job) {
        let (done, told) = oneshot::channel();
        let mut job = job(done);
        let doing = async {
            // Gone: then there is nothing to wait for.
            while let Err(TrySendError::Full(back)) = self.jobs.try_send(job) {
                job = back;
                sleep(FULL).await;
            }
            told.await.ok();
        };
        drop(timeout(PATIENCE, doing).await);
    }
}

#[async_trait]
impl Tier for Disk {
    fn metrics(&self) -> &LowerMetrics {
        &self.shared.metrics
    }

    fn trouble(&self) -> Option<Trouble> {
        self.shared.breaker.trouble()
    }

    async fn get_many(&self, look: &Look<'_>) -> Option<Vec<Option<Stored>>> {
        let shared = &self.shared;
        let Ok(read) = timeout(shared.settings.timeout, shared.read(look.keys)).await else {
            shared.metrics.failed("timeout");
            shared.breaker.failed(|| format!("no response within {:?}", shared.settings.timeout));
            return None;
        };
        let (log, records) = read?;
        let records = look.keys.iter().zip(records).map(|(key, record)| {
            let bytes = shared.bytes(record)?;
            match shared.records.read(key, &bytes, look) {
                Found::Good(stored) => return Some(stored),
                Found::Gone => {}
                Found::Corrupt => shared.corrupt(),
            }
            log.forget(key.as_bytes());
            None
        });
        Some(records.collect())
    }

    fn put(&self, key: CacheKey, stored: &Stored) {
        let shared = &self.shared;
        if matches!(*shared.state.borrow(), State::Closed) {
            return shared.metrics.rejected("unavailable");
        }
        if !shared.queue.take(stored) {
            return shared.metrics.rejected("queue_full");
        }
        if self.jobs.try_send(Job::Write(key, stored.clone())).is_err() {
            shared.queue.give(stored);
            shared.metrics.rejected("queue_full");
        }
    }

    async fn purged(&self) {
        self.done(Job::Purge).await;
    }

    async fn close(&self) {
        self.done(Job::Close).await;
    }
}

type Record = io::Result<Option<Vec<u8>>>;

impl Shared {
    /// Reads what there is under some keys, where that disturbs nobody; `None` if there is nothing to
    /// read from.
    async fn read(&self, keys: &[CacheKey]) -> Option<(Arc<Log>, Vec<Record>)> {
        let log = self.log().await?;
        let permit = Arc::clone(&self.readers).acquire_owned().await.ok()?;
        let (from, keys) = (Arc::clone(&log), keys.to_vec());
        let reading = spawn_blocking(move || {
            // Held by the thread, which goes on after nobody waits for it any more.
            let _permit = permit;
            keys.iter().map(|key| from.get(key.as_bytes())).collect()
        });
        Some((log, reading.await.ok()?))
    }

    /// The log, once it is open.
    async fn log(&self) -> Option<Arc<Log>> {
        let mut state = self.state.subscribe();
        let opened = state.wait_for(|state| !matches!(state, State::Opening)).await.ok()?;
        match &*opened {
            State::Open(log) if self.breaker.is_closed() => Some(Arc::clone(log)),
            _ => None,
        }
    }

    /// The bytes that were read, if they were.
    fn bytes(&self, record: Record) -> Option<Vec<u8>> {
        match record {
            Ok(bytes) => {
                self.breaker.succeeded();
                return bytes;
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => self.corrupt(),
            Err(error) => {
                self.metrics.failed("io");
                self.breaker.failed(|| plain(&error));
            }
        }
        None
    }

    fn corrupt(&self) {
        self.metrics.failed("corrupt");
        if self.corruptions.may(self.ground.clock.now()) {
            tracing::warn!("damaged entry on disk: counted as a miss");
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("breaker", &self.shared.breaker).finish_non_exhaustive()
    }
}
