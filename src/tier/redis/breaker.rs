//! Whether the shared tier is asked. It opens on failures in a row, and only a success of the
//! background's own closes it again, so that no request pays for finding out. Only changes are logged.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::metrics::IntGauge;

/// So many failures in a row open it.
const FAILURES: u32 = 3;

const CLOSED: i64 = 0;
const HALF_OPEN: i64 = 1;
const OPEN: i64 = 2;

/// Open, half open or closed, which the gauge tells.
#[derive(Debug)]
pub(super) struct Breaker {
    state: IntGauge,
    failures: AtomicU32,
}

impl Breaker {
    /// Open, until it was seen that there is something to ask.
    pub(super) fn open(state: IntGauge) -> Self {
        state.set(OPEN);
        Self { state, failures: AtomicU32::new(0) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.get() == CLOSED
    }

    /// A request was served.
    pub(super) fn succeeded(&self) {
        // A read is cheaper than a write that changes nothing.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A request was not served.
    pub(super) fn failed(&self, kind: &'static str) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURES && self.is_closed() {
            self.state.set(OPEN);
            tracing::warn!(reason = kind, "redis is not asked any more");
        }
    }

    /// The background tries whether it can be closed.
    pub(super) fn try_out(&self) {
        if !self.is_closed() {
            self.state.set(HALF_OPEN);
        }
    }

    /// The background's trial ended well.
    pub(super) fn close(&self) {
        self.failures.store(0, Ordering::Relaxed);
        if !self.is_closed() {
            self.state.set(CLOSED);
            tracing::info!("redis is asked");
        }
    }

    /// The background's trial failed, or what it looks after is gone.
    pub(super) fn stay_open(&self, kind: &'static str) {
        if self.is_closed() {
            tracing::warn!(reason = kind, "redis is not asked any more");
        }
        self.state.set(OPEN);
    }
}
