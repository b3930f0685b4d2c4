//! Whether a tier is asked. It opens on failures in a row, and only the tier's own background closes
//! it again, so that no request pays for finding out. Only changes are logged.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// The reason of the last failure; none while it is closed.
    reason: Mutex<Option<String>>,
}

impl Breaker {
    /// Open, until it was seen that there is something to ask.
    pub(super) fn open(tier: Layer, gauge: IntGauge) -> Self {
        gauge.set(OPEN);
        let (state, failures) = (AtomicI64::new(OPEN), AtomicU32::new(0));
        Self { tier, state, failures, gauge, reason: Mutex::default() }
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
    pub(super) fn failed(&self, reason: impl FnOnce() -> String) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURES {
            self.stay_open(&reason());
        }
    }

    /// The reason why it is open, as far as it is known.
    pub(super) fn reason(&self) -> Option<String> {
        if self.is_closed() { None } else { self.last_reason().clone() }
    }

    fn last_reason(&self) -> MutexGuard<'_, Option<String>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(super) fn stay_open(&self, reason: &str) {
        *self.last_reason() = Some(reason.to_owned());
        if self.turn(OPEN) == CLOSED {
            let tier = self.tier.label();
            tracing::warn!(
                "{tier} tier down: {reason}; its entries are misses until it is up again"
            );
        }
    }

    /// Changes the state; gives the one before.
    fn turn(&self, state: i64) -> i64 {
        self.gauge.set(state);
        self.state.swap(state, Ordering::AcqRel)
    }
}
