//! Opening: what the files say is in them.
//!
//! Nothing in a folder can keep a log from being opened. What is not understood is dropped, what is
//! torn is cut off, and what is damaged inside shows when it is read.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::folder::{Listing, remove};
use super::hint::{self, Hint};
use super::segment::{HEADER, Segment};
use super::store::Store;

/// Fills the index of an empty store from its folder.
#[derive(Debug)]
pub(super) struct Recovery<'a> {
    store: &'a Store,
    /// Whether files may be changed.
    writable: bool,
    /// How many files were of no use.
    pub(super) dropped: u64,
    /// The first number that no segment has.
    pub(super) next: u32,
}

impl<'a> Recovery<'a> {
    /// Reads the folder. Only reads it, if it is not writable.
    pub(super) fn run(store: &'a Store, writable: bool) -> io::Result<Self> {
        let mut recovery = Self { store, writable, dropped: 0, next: 1 };
        let listing = store.folder.list()?;
        recovery.tidy(&listing);
        let newest = listing.segments.last().copied().unwrap_or(0);
        recovery.next = newest.max(listing.hints.last().copied().unwrap_or(0)) + 1;
        for number in &listing.segments {
            recovery.load(*number, *number == newest);
        }
        store.recount();
        Ok(recovery)
    }

    fn tidy(&mut self, listing: &Listing) {
        let litter = if self.writable { listing.litter.as_slice() } else { &[] };
        for path in litter {
            // What cannot be deleted lies there until the next time.
            remove(path).ok();
        }
        for path in &listing.foreign {
            self.discard(path);
        }
        for number in listing.hints.difference(&listing.segments) {
            self.discard(&self.store.folder.hint(*number));
        }
    }

    fn discard(&mut self, path: &Path) {
        self.dropped += 1;
        if self.writable {
            remove(path).ok();
        }
    }

    fn load(&mut self, number: u32, newest: bool) {
        match Segment::open(&self.store.folder, number, self.writable) {
            Ok(Some(segment)) => self.adopt(&Arc::new(segment), newest),
            Ok(None) => {
                self.discard(&self.store.folder.segment(number));
                if self.writable {
                    remove(&self.store.folder.hint(number)).ok();
                }
            }
            // Another process may have evicted it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            // Not a reason to delete anything: the process may be out of file handles.
            Err(_) => self.dropped += 1,
        }
    }

    fn adopt(&mut self, segment: &Arc<Segment>, newest: bool) {
        let hint = self.hint(segment);
        self.store.adopt(segment);
        let known = hint.as_ref().map_or(HEADER, |hint| hint.covers);
        let hinted = hint.is_some();
        if let Some(hint) = hint {
            self.store.index.reserve(hint.count());
            for (fingerprint, place) in hint.entries(segment.number()) {
                self.store.index.insert(fingerprint, place);
            }
        }
        if known == segment.length() && known > HEADER {
            return;
        }
        // Where nobody has written a hint to its end, a process may have died within a frame.
        self.scan(segment, known, newest || hinted);
        if self.writable {
            self.settle(segment);
        }
    }

    fn hint(&mut self, segment: &Segment) -> Option<Hint> {
        match hint::read(&self.store.folder, segment) {
            Ok(hint) => {
                segment.has_hint(hint.bytes());
                Some(hint)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.discard(&self.store.folder.hint(segment.number()));
                }
                None
            }
        }
    }

    fn scan(&self, segment: &Segment, from: u64, verify: bool) {
        let visit = |fingerprint, place| {
            self.store.index.insert(fingerprint, place);
        };
        let end = segment.scan(from, verify, visit);
        match (verify, self.writable) {
            // A tail that cannot be cut off is not read either.
            (true, true) => segment.cut(end).unwrap_or_default(),
            (true, false) => segment.end_at(end),
            (false, _) => (),
        }
    }

    /// Spares the next opening the scan.
    fn settle(&self, segment: &Segment) {
        if segment.length() <= HEADER {
            self.store.remove(segment.number()).ok();
            return;
        }
        let entries = self.store.index.of_segment(segment.number());
        // Without a hint the next opening scans again.
        if let Ok(bytes) = hint::write(&self.store.folder, segment, &entries) {
            segment.has_hint(bytes);
        }
    }
}
