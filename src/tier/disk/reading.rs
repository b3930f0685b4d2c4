//! The entries of the disk tier for who looks at all of them, or removes some: not on the way of a request.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use super::background::Job;
use super::log::Log;
use super::{Disk, PATIENCE, Shared};
use crate::key::CacheKey;
use crate::tier::Stored;
use crate::tier::record::Found;

/// How long a removal may take: what is queued before it is written first.
const REMOVAL: Duration = Duration::from_secs(30);

/// The entries, for one of those who may wait for the disk at once. Everything here blocks.
pub struct Reading {
    shared: Arc<Shared>,
    log: Arc<Log>,
    _permit: OwnedSemaphorePermit,
}

impl Disk {
    /// The entries; `None` if they cannot be asked for now.
    pub async fn reading(&self) -> Option<Reading> {
        let log = timeout(PATIENCE, self.shared.log()).await.ok()??;
        let permit = Arc::clone(&self.shared.readers).acquire_owned().await.ok()?;
        Some(Reading { shared: Arc::clone(&self.shared), log, _permit: permit })
    }

    /// Removes entries, and what is queued of them, for good; how many were there.
    pub async fn remove(&self, keys: &[CacheKey]) -> io::Result<u64> {
        let (done, told) = oneshot::channel();
        let busy =
            || io::Error::new(io::ErrorKind::ResourceBusy, "tier down, or its queue is full");
        let keys = keys.iter().map(|key| *key.as_bytes()).collect();
        self.jobs.try_send(Job::Remove(keys, done)).map_err(|_| busy())?;
        timeout(REMOVAL, told).await.map_err(|_| busy())?.map_err(|_| busy())?
    }
}

impl Reading {
    /// The entry under a key.
    pub fn find(&self, key: &CacheKey) -> Option<Stored> {
        self.open(key, &self.log.peek(key.as_bytes())?)
    }

    /// Visits the entries after a key in the order of their keys, at most so many, until the visitor has
    /// enough. Gives the key up to which there is nothing more to see; none at the end of all.
    pub fn next(
        &self,
        (after, most): (Option<CacheKey>, usize),
        mut visit: impl FnMut(CacheKey, &Stored) -> ControlFlow<()>,
    ) -> Option<CacheKey> {
        let after = after.as_ref().map(CacheKey::as_bytes);
        let next = self.log.next(after, most, |key, bytes| {
            let key = CacheKey::from_bytes(*key);
            let stored = self.open(&key, &bytes);
            stored.map_or(ControlFlow::Continue(()), |stored| visit(key, &stored))
        });
        next.map(CacheKey::from_bytes)
    }

    /// Visits every entry, as they lie, until the visitor has enough.
    pub fn each(&self, mut visit: impl FnMut(CacheKey, &Stored) -> ControlFlow<()>) {
        let all = self.log.each(|key, bytes| {
            let key = CacheKey::from_bytes(*key);
            match self.open(&key, &bytes).map(|stored| visit(key, &stored)) {
                Some(ControlFlow::Break(())) => Err(io::ErrorKind::Interrupted.into()),
                _ => Ok(()),
            }
        });
        // Only the visitor makes an error.
        drop(all);
    }

    /// What was purged, or is damaged, is not there; what has ended is.
    fn open(&self, key: &CacheKey, bytes: &[u8]) -> Option<Stored> {
        let ground = &self.shared.ground;
        match self.shared.records.read_any(key, bytes, (&ground.purges, ground.clock.now())) {
            Found::Good(stored) => Some(stored),
            Found::Gone | Found::Corrupt => None,
        }
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("log", &self.log).finish_non_exhaustive()
    }
}
