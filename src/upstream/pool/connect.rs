//! Opening connections: names, TCP and TLS, each within its time.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use rustls::ClientConfig;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::BoxError;
use super::counted::Counted;
use super::idle::Idle;
use crate::config::Provider;
use crate::metrics::UpstreamMetrics;

/// Opens connections, each within its time, and counts them.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    timeout: Duration,
    metrics: UpstreamMetrics,
    /// As many tokens as connections that are open.
    open: TaskTracker,
    /// Whether one carries many calls at once, as the last that was opened does.
    is_shared: Arc<AtomicBool>,
    /// Those that were opened before a call wanted them.
    pub(super) ready: Arc<Idle<Counted>>,
}

impl Connector {
    /// To one provider, over HTTP/1.1 or, if it may be, HTTP/2 by ALPN.
    pub(super) fn new(
        provider: &Provider,
        (tls, http2): (ClientConfig, bool),
        metrics: &UpstreamMetrics,
    ) -> Self {
        let (timeout, metrics) = (provider.connect_timeout, metrics.clone());
        let (open, is_shared, ready) = (TaskTracker::new(), Arc::default(), Idle::new(provider));
        Self { https: https(tls, http2), timeout, metrics, open, is_shared, ready }
    }

    /// How many are open, whoever uses them.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// How many are wanted where so many are.
    pub(super) fn enough(&self, wanted: usize) -> usize {
        if self.is_shared.load(Ordering::Relaxed) { wanted.min(1) } else { wanted }
    }

    /// Opens one.
    pub(super) fn open(&self, uri: Uri) -> Connecting {
        let opening = self.https.clone().call(uri);
        let (timeout, metrics, open) = (self.timeout, self.metrics.clone(), self.open.clone());
        let is_shared = Arc::clone(&self.is_shared);
        Box::pin(async move {
            let stream = tokio::time::timeout(timeout, opening).await.map_err(|_| {
                io::Error::new(io::ErrorKind::TimedOut, "no connection within connect_timeout")
            })??;
            let stream = Counted::new(stream, &metrics, open.token());
            is_shared.store(stream.is_shared(), Ordering::Relaxed);
            Ok(stream)
        })
    }
}

fn https(tls: ClientConfig, http2: bool) -> HttpsConnector<HttpConnector<Resolver>> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::default());
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    if http2 { builder.enable_http2().wrap_connector(tcp) } else { builder.wrap_connector(tcp) }
}

pub(super) type Connecting = Pin<Box<dyn Future<Output = Result<Counted, BoxError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = Counted;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self.ready.take() {
            Some(stream) => Box::pin(ready(Ok(*stream))),
            None => self.open(uri),
        }
    }
}

/// Resolves names anew for each connection, by the platform's resolver on a thread of its own; when
/// that fails, the addresses that worked last are tried.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolver {
    /// One entry for each provider's host: bounded by the configuration.
    last_good: Arc<Mutex<HashMap<String, Vec<SocketAddr>>>>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let last_good = Arc::clone(&self.last_good);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let mut last_good = last_good.lock().unwrap_or_else(PoisonError::into_inner);
            match found {
                Ok(addresses) => {
                    let addresses: Vec<_> = addresses.collect();
                    last_good.insert(name.as_str().to_owned(), addresses.clone());
                    Ok(addresses.into_iter())
                }
                Err(error) => {
                    last_good.get(name.as_str()).cloned().map(Vec::into_iter).ok_or(error)
                }
            }
        })
    }
}
