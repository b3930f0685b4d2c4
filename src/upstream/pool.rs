//! Connections to one provider: names, TCP, TLS, and hyper's pooled client over them.

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
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

/// The clients of one provider. The number of calls at once is bounded by permits, above.
pub(super) struct Pools {
    /// For calls: keeps connections as the settings say, HTTP/1.1 or HTTP/2 by ALPN.
    pub(super) calls: Pool,
    /// For what becomes another protocol, which only a connection over HTTP/1.1 can.
    pub(super) switches: Pool,
}

impl Pools {
    pub(super) fn build(provider: &Provider, metrics: &UpstreamMetrics) -> Result<Self, String> {
        let tls = tls_config(provider)?;
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
        Ok(Self { calls, switches })
    }
}

fn connector(tls: ClientConfig, http2: bool) -> HttpsConnector<HttpConnector<Resolver>> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::default());
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    if http2 { builder.enable_http2().wrap_connector(tcp) } else { builder.wrap_connector(tcp) }
}

/// Trust in the platform's roots and those of `ca_file`. A provider without TLS needs neither.
fn tls_config(provider: &Provider) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if provider.base_url.starts_with("https:") {
        let platform = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(platform.certs);
    }
    if !provider.ca_file.is_empty() {
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
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Opens connections, each within its time, and counts them.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    timeout: Duration,
    metrics: UpstreamMetrics,
}

type Opening<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = Counted;
    type Error = BoxError;
    type Future = Opening<Counted>;

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
