//! How many bytes wait to be written to a tier, and may.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Stored;
use crate::metrics::IntGauge;

/// What an entry costs while it waits, beside its value.
const OVERHEAD: u64 = 256;

/// The bytes that wait, under their bound.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: AtomicU64,
    limit: u64,
    gauge: IntGauge,
}

impl Queue {
    pub(super) fn new(limit: u64, gauge: IntGauge) -> Self {
        Self { waiting: AtomicU64::new(0), limit, gauge }
    }

    /// Takes the room for an entry, if there is some.
    pub(super) fn take(&self, stored: &Stored) -> bool {
        let bytes = size_of(stored);
        let waiting = self.waiting.fetch_add(bytes, Ordering::AcqRel) + bytes;
        let room = waiting <= self.limit;
        if !room {
            self.waiting.fetch_sub(bytes, Ordering::AcqRel);
        }
        self.note();
        room
    }

    /// Gives the room of an entry back.
    pub(super) fn give(&self, stored: &Stored) {
        self.waiting.fetch_sub(size_of(stored), Ordering::AcqRel);
        self.note();
    }

    fn note(&self) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.gauge.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}

fn size_of(stored: &Stored) -> u64 {
    stored.value.len() as u64 + OVERHEAD
}
