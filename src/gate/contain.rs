//! A panic while one request is served is that request's: it is answered, counted, and what it held is
//! let go as its state is dropped.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// What work comes to; `None` if it panics. What was shared with it is behind locks that do not mind
/// (`PoisonError::into_inner`), or is dropped with it.
pub(super) async fn contain<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_contained_and_lets_go_of_what_was_held() {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let work = async move {
            tokio::task::yield_now().await;
            assert_eq!(Arc::strong_count(&holds), 1, "planted");
        };
        assert_eq!(contain(work).await, None);
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(contain(async { 7 }).await, Some(7));
    }
}
