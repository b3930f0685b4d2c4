//! The requests of a merged call that failed, each sent alone. If they all succeed, the merging was at fault.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Batcher;
use super::original::Original;

/// The outcomes of the requests of one merged call. When the last of them is dropped, the lesson is drawn.
pub(super) struct Trial {
    batcher: Arc<Batcher>,
    original: Arc<Original>,
    /// Inputs of the merged call.
    inputs: usize,
    /// Whether it asked for base64.
    is_base64: bool,
    has_success: AtomicBool,
    has_failure: AtomicBool,
}

impl Trial {
    pub(super) fn new(
        batcher: &Arc<Batcher>,
        original: Arc<Original>,
        inputs: usize,
        is_base64: bool,
    ) -> Arc<Self> {
        let batcher = Arc::clone(batcher);
        let (has_success, has_failure) = Default::default();
        Arc::new(Self { batcher, original, inputs, is_base64, has_success, has_failure })
    }

    /// A request succeeded alone.
    pub(super) fn succeeded(&self) {
        self.has_success.store(true, Ordering::Relaxed);
    }

    /// A request failed alone. If it has several inputs it is a list itself, and fails where lists are refused.
    pub(super) fn failed(&self, inputs: usize) {
        self.has_failure.fetch_or(inputs == 1, Ordering::Relaxed);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if *self.has_success.get_mut() && !*self.has_failure.get_mut() {
            self.batcher.merging_failed(&self.original, self.inputs, self.is_base64);
        }
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}
