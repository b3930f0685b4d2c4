//! What clients do that is counted: they come again, and they leave.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::metrics::OperationMetrics;

/// Counts a request that its SDK makes again.
pub(super) fn count_retry(metrics: &OperationMetrics, headers: &HeaderMap) {
    if is_retry(headers) {
        metrics.retries.inc();
    }
}

/// Whether a request's SDK makes it again.
pub(super) fn is_retry(headers: &HeaderMap) -> bool {
    static COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
    headers.get(&COUNT).is_some_and(|count| count != HeaderValue::from_static("0"))
}

/// Counts a client that leaves while its answer is being made: then the exchange is dropped.
pub(super) struct Leaving<'a>(Option<&'a OperationMetrics>);

impl<'a> Leaving<'a> {
    pub(super) fn of(metrics: &'a OperationMetrics) -> Self {
        Self(Some(metrics))
    }

    /// The answer is there: it stays.
    pub(super) fn stays(mut self) {
        self.0 = None;
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.0 {
            metrics.cancelled.inc();
        }
    }
}
