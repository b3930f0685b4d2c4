//! Connections to one provider: names, TCP, TLS, and hyper's pooled client over them.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

use super::counted::Counted;
use crate::config::Provider;
use crate::metrics::UpstreamMetrics;

/// What can go wrong with a body, whoever sends it.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request body on its way to a provider.
pub type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

pub(super) type Pool = Client<Connector, RequestBody>;

/// The clients of one provider, made when the first call needs them: most providers that are built in are
/// never called. The number of calls at once is bounded by permits, above.
pub(super) struct Pools(LazyLock<Opened, Opening<Opened>>);

type Opening<T> = Box<dyn FnOnce() -> T + Send>;

struct Opened {
    /// For calls: keeps connections as the settings say, HTTP/1.1 or HTTP/2 by ALPN.
    calls: Pool,
    /// For what becomes another protocol, which only a connection over HTTP/1.1 can.
    switches: Pool,
}

impl Pools {
    /// An error says what is wrong with the settings.
    pub(super) fn of(provider: &Provider, metrics: &UpstreamMetrics) -> Result<Self, String> {
        let roots = own_roots(provider)?;
        let (provider, metrics) = (provider.clone(), metrics.clone());
        Ok(Self(LazyLock::new(Box::new(move || Opened::new(&provider, roots, &metrics)))))
    }

    pub(super) fn calls(&self) -> &Pool {
        &self.0.calls
    }

    pub(super) fn switches(&self) -> &Pool {
        &self.0.switches
    }
}

impl Opened {
    fn new(provider: &Provider, mut roots: RootCertStore, metrics: &UpstreamMetrics) -> Self {
        if provider.base_url.starts_with("https:") {
            roots.extend(PLATFORM.roots.iter().cloned());
        }
        let tls = tls_config(roots);
        let (both, only_http1) = (connector(tls.clone(), true), connector(tls, false));
        let counted = |https| Connector {
            https,
            timeout: provider.connect_timeout,
            metrics: metrics.clone(),
        };
        let calls = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(provider.idle_timeout)
            .pool_max_idle_per_host(provider.idle_connections as usize)
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(Some(Duration::from_secs(30)))
            .build(counted(both));
        let switches = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(counted(only_http1));
        Self { calls, switches }
    }
}

fn connector(tls: ClientConfig, http2: bool) -> HttpsConnector<HttpConnector<Resolver>> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::default());
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    if http2 { builder.enable_http2().wrap_connector(tcp) } else { builder.wrap_connector(tcp) }
}

/// The platform's roots: hundreds of files, read once and only if a provider is called over TLS.
static PLATFORM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
});

/// Trust in the roots of `ca_file`.
fn own_roots(provider: &Provider) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if provider.ca_file.is_empty() {
        return Ok(roots);
    }
    let wrong = |error: &dyn Display| format!("{}: {error}", provider.ca_file);
    let certificates = CertificateDer::pem_file_iter(&provider.ca_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&error))?;
    if certificates.is_empty() {
        return Err(wrong(&"holds no PEM certificate"));
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    Ok(roots)
}

fn tls_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 need")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Opens connections, each within its time, and counts them.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    timeout: Duration,
    metrics: UpstreamMetrics,
}

type Connecting = Pin<Box<dyn Future<Output = Result<Counted, BoxError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = Counted;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let opening = self.https.call(uri);
        let timeout = self.timeout;
        let metrics = self.metrics.clone();
        Box::pin(async move {
            let stream = tokio::time::timeout(timeout, opening).await.map_err(|_| {
                io::Error::new(io::ErrorKind::TimedOut, "no connection within connect_timeout")
            })??;
            Ok(Counted::new(stream, &metrics))
        })
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
