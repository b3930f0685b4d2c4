//! Whether a tier is asked. It opens on failures in a row, and only the tier's own background closes
//! it again, so that no request pays for finding out. Only changes are logged.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::unix_seconds;
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
    /// The last failure, and the time since which it is open.
    trouble: Mutex<Trouble>,
}

/// The reason why a tier is not used.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    /// The time since which it is not, in seconds since 1970.
    pub since: f64,
    /// The last failure in words; none before the first.
    pub reason: Option<String>,
}

impl Breaker {
    /// Open, until it was seen that there is something to ask.
    pub(super) fn open(tier: Layer, gauge: IntGauge) -> Self {
        gauge.set(OPEN);
        let (state, failures) = (AtomicI64::new(OPEN), AtomicU32::new(0));
        Self {
            tier,
            state,
            failures,
            gauge,
            trouble: Mutex::new(Trouble { since: unix_seconds(), reason: None }),
        }
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
    pub(super) fn trouble(&self) -> Option<Trouble> {
        if self.is_closed() { None } else { Some(self.last().clone()) }
    }

    fn last(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut trouble = self.last();
        trouble.reason = Some(reason.to_owned());
        if self.turn(OPEN) == CLOSED {
            trouble.since = unix_seconds();
            drop(trouble);
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
