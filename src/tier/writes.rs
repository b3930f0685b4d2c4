//! What is written to a store makes what was read of it be forgotten.
//!
//! A write does not look for entries: it raises a number in the scope of its namespace, and what was read
//! under a lower one is not there any more. Namespaces are as many as an application likes, so they are told
//! apart by digests, in so many parts; two that share one are forgotten together.

use std::sync::atomic::{AtomicI64, Ordering};

use super::purge::{OTHERS, Scope};
use crate::key::Digest;

/// Into how many parts the namespaces of a store fall.
const PARTS: usize = 1_024;

/// The scopes of one store.
#[derive(Debug)]
pub struct Store {
    /// First that of reads that are of no namespace, or nobody knows of which; then one for each part.
    scopes: Vec<Scope>,
    /// For each of them, the millisecond of the clock from which on what is read is as it was written last.
    settled: Vec<AtomicI64>,
}

/// The scope of a read.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    store: &'static Store,
    at: usize,
}

impl Store {
    pub(super) fn new(upstream: &str, generation: u64) -> Self {
        // A purge of any "model" of a store is one of all of it.
        let scope = |_| Scope::new(upstream, OTHERS, generation);
        let settled = |_| AtomicI64::new(i64::MIN);
        Self {
            scopes: (0..=PARTS).map(scope).collect(),
            settled: (0..=PARTS).map(settled).collect(),
        }
    }

    /// What a read of a namespace is forgotten with; of none, with every other.
    pub fn part(&'static self, namespace: Option<&str>) -> Part {
        Part { store: self, at: namespace.map_or(0, part) }
    }

    /// Notes that the content of a namespace may have changed, or, without one, all content. The change may not be
    /// seen until a millisecond of the clock.
    pub fn wrote(&self, namespace: Option<&str>, until: Option<i64>) {
        let Some(namespace) = namespace else {
            return (0..=PARTS).for_each(|at| self.raise(at, until));
        };
        self.raise(part(namespace), until);
        self.raise(0, until);
    }

    /// All of it was purged, or is as it was.
    pub(super) fn purged(&self, generation: u64) {
        for scope in &self.scopes {
            scope.generation.store(generation, Ordering::Release);
        }
    }

    /// Its provider's name.
    pub(super) fn name(&self) -> &str {
        self.scopes.first().map_or("", |scope| &scope.upstream)
    }

    /// How often each part was written to.
    pub(super) fn counts(&self) -> impl Iterator<Item = u64> {
        self.scopes.iter().map(|scope| scope.writes.load(Ordering::Acquire))
    }

    /// Somebody else wrote to a part: by how much its count is higher for that.
    pub(super) fn heard(&self, at: usize) -> u64 {
        self.raise(at, None);
        1
    }

    fn raise(&self, at: usize, until: Option<i64>) {
        let (Some(scope), Some(settled)) = (self.scopes.get(at), self.settled.get(at)) else {
            return;
        };
        if let Some(until) = until {
            settled.fetch_max(until, Ordering::AcqRel);
        }
        scope.writes.fetch_add(1, Ordering::AcqRel);
    }
}

impl Part {
    /// The scope itself.
    pub fn scope(self) -> &'static Scope {
        self.store.scopes.get(self.at).expect("a part is one of its store's")
    }

    /// Whether what is read at a millisecond of the clock is as it was written last.
    pub fn is_settled(self, now: i64) -> bool {
        let settled = self.store.settled.get(self.at);
        settled.is_none_or(|settled| now >= settled.load(Ordering::Acquire))
    }
}

/// The part of a namespace, the same in every process.
fn part(namespace: &str) -> usize {
    let digest = Digest::of(namespace.as_bytes());
    let [first, second, ..] = *digest.as_bytes();
    1 + usize::from(u16::from_le_bytes([first, second])) % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::purge::{Mark, Purges, Reach};

    fn mark(purges: &Purges, namespace: Option<&str>) -> Mark {
        purges.store("s").part(namespace).scope().mark()
    }

    #[test]
    fn a_write_reaches_its_namespace_and_what_is_of_none() {
        let purges = Purges::new();
        let marks = || [Some("a"), Some("b"), None].map(|namespace| mark(&purges, namespace));
        let holding = |marks: [Mark; 3]| marks.map(|mark| mark.holds());
        let before = marks();
        purges.store("s").wrote(Some("a"), None);
        assert_eq!(holding(before), [false, true, false]);
        let between = marks();
        purges.store("s").wrote(None, None);
        assert_eq!(holding(between), [false; 3]);
        assert_eq!(holding(marks()), [true; 3]);
    }

    #[test]
    fn a_purge_reaches_a_store_after_any_number_of_writes() {
        let purges = Purges::new();
        for reach in [
            Reach::Everything,
            Reach::Upstream("s".to_owned()),
            Reach::Model("s".to_owned(), "a".to_owned()),
        ] {
            purges.store("s").wrote(Some("a"), None);
            let marks = [mark(&purges, Some("a")), mark(&purges, None)];
            purges.purge(&Reach::Upstream("other".to_owned()));
            assert!(marks.iter().all(Mark::holds));
            purges.purge(&reach);
            assert!(!marks.iter().any(Mark::holds), "{reach:?}");
        }
    }

    #[test]
    fn what_is_read_before_a_write_is_seen_everywhere_is_told() {
        let purges = Purges::new();
        let (now, store) = (700, purges.store("s"));
        assert!(store.part(Some("a")).is_settled(now));
        store.wrote(Some("a"), Some(now + 300));
        store.wrote(Some("a"), Some(now + 200));
        assert!(!store.part(Some("a")).is_settled(now + 299));
        assert!(store.part(Some("a")).is_settled(now + 300));
        assert!(!store.part(None).is_settled(now) && store.part(Some("b")).is_settled(now));
    }

    #[test]
    fn namespaces_fall_into_parts_alike_in_every_process() {
        assert_eq!([part("docs"), part("tickets")], [part("docs"), part("tickets")]);
        let used: std::collections::HashSet<usize> =
            (0..20_000).map(|n| part(&format!("user-{n}"))).collect();
        assert_eq!((used.len(), used.contains(&0)), (PARTS, false));
    }
}
