//! Whether a tier is asked. It opens on failures in a row, and only the tier's own background closes
//! it again, so that no request pays for finding out. Only changes are logged.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use crate::metrics::{IntGauge, Layer};

/// So many failures in a row open it.
const FAILURES: u32 = 3;

const CLOSED: i64 = 0;
const HALF_OPEN: i64 = 1;
const OPEN: i64 = 2;

/// Open, half open or closed.
#[derive(Debug)]
pub(super) struct Breaker {
    tier: Layer,
    state: AtomicI64,
    failures: AtomicU32,
    gauge: IntGauge,
}

impl Breaker {
    /// Open, until it was seen that there is something to ask.
    pub(super) fn open(tier: Layer, gauge: IntGauge) -> Self {
        gauge.set(OPEN);
        Self { tier, state: AtomicI64::new(OPEN), failures: AtomicU32::new(0), gauge }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// Whether it is closed, and the last request was served.
    pub(super) fn is_well(&self) -> bool {
        self.is_closed() && self.failures.load(Ordering::Relaxed) == 0
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
        if failures >= FAILURES {
            self.stay_open(kind);
        }
    }

    /// The background tries whether it can be closed.
    pub(super) fn try_out(&self) {
        if !self.is_closed() {
            self.turn(HALF_OPEN);
        }
    }

    /// The background's trial ended well.
    pub(super) fn close(&self) {
        self.failures.store(0, Ordering::Relaxed);
        if self.turn(CLOSED) != CLOSED {
            tracing::info!("{} tier up", self.tier.label());
        }
    }

    /// The background's trial failed, or what it looks after is gone.
    pub(super) fn stay_open(&self, kind: &'static str) {
        if self.turn(OPEN) == CLOSED {
            let tier = self.tier.label();
            tracing::warn!("{tier} tier down: {kind}; its entries are misses until it is up again");
        }
    }

    /// Changes the state; gives the one before.
    fn turn(&self, state: i64) -> i64 {
        self.gauge.set(state);
        self.state.swap(state, Ordering::AcqRel)
    }
}
