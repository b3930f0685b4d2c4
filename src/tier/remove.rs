//! Entries that are removed one by one: those that somebody means, and not all of a scope.
//!
//! Unlike a purge by generation this reaches only what this process knows of: its memory, its disk, and
//! in Redis what it has in one of the two. What other replicas hold themselves they keep.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Stored, Tiers};
use crate::key::CacheKey;

/// Entries that are removed at once.
const BATCH: usize = 4_096;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Entries, wherever they were.
    pub entries: u64,
    /// Of them in memory.
    pub memory: u64,
    /// On disk.
    pub disk: u64,
    /// In Redis.
    pub redis: u64,
}

/// Keys of entries that are meant.
enum Meant {
    InMemory(Vec<CacheKey>),
    /// Perhaps in memory too.
    OnDisk(Vec<CacheKey>),
}

impl Tiers {
    /// Removes the entries that are meant and were there when this began. An error says which tier could
    /// not be told; what was removed until then stays removed.
    pub async fn remove(
        self: &Arc<Self>,
        meant: impl FnMut(&CacheKey, &Stored) -> bool + Send + 'static,
    ) -> Result<Removed, String> {
        let mut batches = self.walk(meant).await?;
        let mut all = Removed::default();
        while let Some(batch) = batches.recv().await {
            let (keys, in_memory) = match batch {
                Meant::InMemory(keys) => (keys, true),
                Meant::OnDisk(keys) => (keys, false),
            };
            let removed = self.remove_keys(&keys).await?;
            // What was in memory may have been found on disk once more.
            all.entries += if in_memory { keys.len() as u64 } else { removed.disk };
            all.memory += removed.memory;
            all.disk += removed.disk;
            all.redis += removed.redis;
        }
        Ok(all)
    }

    /// How many entries are meant.
    pub async fn count(
        self: &Arc<Self>,
        meant: impl FnMut(&CacheKey, &Stored) -> bool + Send + 'static,
    ) -> Result<u64, String> {
        let mut batches = self.walk(meant).await?;
        let mut count = 0;
        while let Some(batch) = batches.recv().await {
            count += match batch {
                Meant::InMemory(keys) => keys.len(),
                Meant::OnDisk(keys) => {
                    keys.iter().filter(|key| self.memory.peek(key).is_none()).count()
                }
            };
        }
        Ok(count as u64)
    }

    /// Removes what is under some keys.
    pub async fn remove_keys(&self, keys: &[CacheKey]) -> Result<Removed, String> {
        let mut removed = Removed::default();
        // From below, since what is found there is brought up.
        if let Some(redis) = &self.shared {
            removed.redis = redis.remove(keys).await.map_err(|error| format!("redis: {error}"))?;
        }
        if let Some(disk) = &self.disk {
            removed.disk = disk.remove(keys).await.map_err(|error| format!("disk: {error}"))?;
        }
        removed.memory = self.memory.remove(keys);
        removed.entries = removed.redis.max(removed.disk).max(removed.memory);
        self.memory.forget_answers();
        Ok(removed)
    }

    /// The keys of the entries that are meant, batch by batch: first of those in memory, then of those on
    /// disk. It ends when nobody takes them any more.
    async fn walk(
        self: &Arc<Self>,
        mut meant: impl FnMut(&CacheKey, &Stored) -> bool + Send + 'static,
    ) -> Result<mpsc::Receiver<Meant>, String> {
        let alone = self.alone().await.ok_or("larder is shutting down")?;
        let disk = self.reading().await;
        if self.disk.is_some() && disk.is_none() {
            return Err("disk: tier down".to_owned());
        }
        let (batches, taken) = mpsc::channel(1);
        let tiers = Arc::clone(self);
        spawn_blocking(move || {
            let _alone = alone;
            let mut found = Batch { of: Meant::InMemory, keys: Vec::new(), to: batches };
            tiers.memory.each(|key, stored| found.take(key, meant(&key, stored)));
            if found.send().is_break() {
                return ControlFlow::Break(());
            }
            found.of = Meant::OnDisk;
            if let Some(disk) = disk {
                disk.each(|key, stored| found.take(key, meant(&key, stored)));
            }
            found.send()
        });
        Ok(taken)
    }
}

/// Keys on their way to who removes them.
struct Batch {
    of: fn(Vec<CacheKey>) -> Meant,
    keys: Vec<CacheKey>,
    to: mpsc::Sender<Meant>,
}

impl Batch {
    /// Takes a key, if its entry is meant.
    fn take(&mut self, key: CacheKey, is_meant: bool) -> ControlFlow<()> {
        if is_meant {
            self.keys.push(key);
        }
        if self.keys.len() < BATCH { ControlFlow::Continue(()) } else { self.send() }
    }

    /// Hands over what was taken, as soon as the batch before is done with; breaks off where nobody wants it.
    fn send(&mut self) -> ControlFlow<()> {
        let keys = std::mem::take(&mut self.keys);
        if keys.is_empty() || self.to.blocking_send((self.of)(keys)).is_ok() {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(())
    }
}
