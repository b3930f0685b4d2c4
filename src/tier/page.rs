//! The entries of memory and disk, page by page in the order of their keys.
//!
//! An order that no write changes: whoever goes from page to page, each after the last key of the one
//! before, never meets an entry twice, and meets each that a tier has had all the time. An index by key
//! would cost memory for every entry; so a page looks at all that is in memory, one step at a time, and
//! keeps no more than it shows. Of the disk it reads a bounded number of entries, so that a page may end
//! before it is full.
//!
//! What that costs, and that no hit waits for it: `tests/bench/pages.rs`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;

use super::disk::Reading;
use super::{Stored, Tiers};
use crate::key::CacheKey;

/// Entries that are read from disk for a page, at the most: some 12 MB of vectors.
const READ: usize = 2_000;

/// An entry, as it is told of.
#[derive(Debug)]
pub struct Line<T> {
    /// What is told of it.
    pub told: T,
    /// Whether it is in memory.
    pub in_memory: bool,
    /// Whether it is on disk.
    pub on_disk: bool,
}

/// Entries by their keys, one after the other.
#[derive(Debug)]
pub struct Page<T> {
    /// The entries.
    pub lines: BTreeMap<CacheKey, Line<T>>,
    /// What the next page comes after; `None` if this is the last.
    pub next: Option<CacheKey>,
}

/// Which page is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Leaf {
    /// What it comes after; `None` for the first.
    pub after: Option<CacheKey>,
    /// How many entries it has, at the most.
    pub most: usize,
}

impl Tiers {
    /// A page of the entries that `tell` tells something of; `None` if it could not be made.
    pub async fn page<T: Send + 'static>(
        self: &Arc<Self>,
        leaf: Leaf,
        tell: impl FnMut(&CacheKey, &Stored) -> Option<T> + Send + 'static,
    ) -> Option<Page<T>> {
        let (alone, tiers) = (self.alone().await?, Arc::clone(self));
        let disk = self.reading().await;
        let page = spawn_blocking(move || {
            let page = tiers.gather(disk.as_ref(), leaf, tell);
            drop(alone);
            page
        });
        page.await.ok()
    }

    /// The entry under a key, with where it is.
    pub async fn find(self: &Arc<Self>, key: CacheKey) -> Option<Line<Stored>> {
        let disk = self.reading().await;
        let on_disk = spawn_blocking(move || disk?.find(&key)).await.ok()?;
        let in_memory = self.memory.peek(&key);
        let (is_in_memory, is_on_disk) = (in_memory.is_some(), on_disk.is_some());
        let told = in_memory.or(on_disk)?;
        Some(Line { told, in_memory: is_in_memory, on_disk: is_on_disk })
    }

    /// The right to go through all entries.
    pub(super) async fn alone(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.walks).acquire_owned().await.ok()
    }

    /// What there is on disk, where it can be asked for.
    pub(super) async fn reading(&self) -> Option<Reading> {
        self.disk.as_ref()?.reading().await
    }

    fn gather<T>(
        &self,
        disk: Option<&Reading>,
        Leaf { after, most }: Leaf,
        mut tell: impl FnMut(&CacheKey, &Stored) -> Option<T>,
    ) -> Page<T> {
        let mut lines = BTreeMap::new();
        // The disk first: what moves meanwhile moves up, and is then seen in memory.
        let end = disk.and_then(|disk| {
            disk.next((after, READ.max(most)), |key, stored| {
                if let Some(told) = tell(&key, stored) {
                    lines.insert(key, Line { told, in_memory: false, on_disk: true });
                }
                if lines.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        });
        let mut rest = false;
        self.memory.each(|key, stored| {
            let early = after.is_some_and(|after| key <= after);
            let late = end.is_some_and(|end| key > end);
            let full = lines.len() >= most;
            let far = full && lines.last_key_value().is_none_or(|(last, _)| key > *last);
            if early || late || (far && rest) {
                return ControlFlow::Continue(());
            }
            if let Some(told) = tell(&key, stored) {
                let on_disk = lines.get(&key).is_some_and(|line| line.on_disk);
                lines.insert(key, Line { told, in_memory: true, on_disk });
                if lines.len() > most {
                    lines.pop_last();
                    rest = true;
                }
            }
            ControlFlow::Continue(())
        });
        let last = lines.last_key_value().map(|(last, _)| *last);
        Page { next: if rest { last } else { end }, lines }
    }
}
