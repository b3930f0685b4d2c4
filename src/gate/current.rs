//! The proxy as it is now: what a reload replaces, between two requests.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

use super::Proxy;

/// What every new request is served by.
#[derive(Debug)]
pub struct Current {
    proxy: RwLock<Arc<Proxy>>,
    replaced: Notify,
}

impl Current {
    /// The first one.
    pub fn new(proxy: Proxy) -> Self {
        Self { proxy: RwLock::new(Arc::new(proxy)), replaced: Notify::new() }
    }

    /// The one that is current now. Whoever has it may use it to the end of a request.
    pub fn get(&self) -> Arc<Proxy> {
        Arc::clone(&self.proxy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it for all requests from now on.
    pub fn set(&self, proxy: Proxy) {
        *self.proxy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(proxy);
        self.replaced.notify_one();
    }

    /// Returns when it was replaced since the last time, to the one who waits for that.
    pub async fn replaced(&self) {
        self.replaced.notified().await;
    }
}
