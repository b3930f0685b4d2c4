//! The count of a response whose body is still on its way.

use std::sync::Arc;
use std::time::Instant;

use crate::metrics::{OperationMetrics, Outcome};
use crate::trace::Spanning;

/// Counts an answer when its body ends, or is given up.
#[derive(Debug)]
pub(super) struct End {
    pub(super) metrics: Arc<OperationMetrics>,
    pub(super) outcome: Outcome,
    pub(super) received: Instant,
    pub(super) complete: bool,
    /// The span of the request, where it is traced.
    pub(super) span: Option<Spanning>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.metrics.finished(self.outcome, self.received.elapsed());
        if !self.complete {
            self.metrics.cancelled.inc();
        } else if let Some(span) = &self.span {
            span.done();
        }
    }
}
