//! The proxy as it is now: what a reload replaces, between two requests.

use std::sync::{Arc, PoisonError, RwLock};

use super::Proxy;

/// What every new request is served by.
#[derive(Debug)]
pub struct Current(RwLock<Arc<Proxy>>);

impl Current {
    /// The first one.
    pub fn new(proxy: Proxy) -> Self {
        Self(RwLock::new(Arc::new(proxy)))
    }

    /// The one that is current now. Whoever has it may use it to the end of a request.
    pub fn get(&self) -> Arc<Proxy> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it for all requests from now on.
    pub fn set(&self, proxy: Proxy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(proxy);
    }
}
