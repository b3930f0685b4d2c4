//! The calls to one question that race for the first head. A reader of any of them takes the head that comes
//! first, and keeps no call but its own running until then.

use std::sync::{Arc, PoisonError, Weak};

use super::reader::Reader;
use super::state::Shared;
use crate::sync::{Mutex, MutexGuard};

/// The calls that race. Weak: one that has ended is not kept.
#[derive(Debug)]
pub(super) struct Race(Mutex<Vec<Weak<Shared>>>);

impl Race {
    /// A race with its first call.
    pub(super) fn of(first: &Arc<Shared>) -> Self {
        Self(Mutex::new(vec![Arc::downgrade(first)]))
    }

    /// Adds a call.
    pub(super) fn enter(&self, call: &Arc<Shared>) {
        let mut calls = self.lock();
        calls.retain(|call| call.strong_count() > 0);
        calls.push(Arc::downgrade(call));
    }

    /// Gives the readers of calls without a head places in the one that has it, before any of its body is there.
    pub(super) fn won_by(&self, winner: &Arc<Shared>) {
        let others: Vec<Arc<Shared>> = self.lock().iter().filter_map(Weak::upgrade).collect();
        for other in others.iter().filter(|other| !Arc::ptr_eq(other, winner)) {
            // Made outside of the other's lock: no lock is taken within one of its kind.
            let places: Vec<Reader> = (0..other.waiting()).map(|_| winner.read()).collect();
            other.give(places);
        }
    }

    /// Poisoned, it is still whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Shared>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
