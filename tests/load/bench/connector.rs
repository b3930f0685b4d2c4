//! TCP and TLS to a target; each connection is opened by name, so that nothing is pooled.

use std::error::Error;
use std::io;
use std::sync::Arc;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

use super::trouble::Trouble;

/// Bytes to and from a target.
pub(crate) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections.
#[derive(Debug, Clone)]
pub(crate) struct Connector(HttpsConnector<HttpConnector>);

impl Connector {
    /// Trusts the platform's roots, or those of `SSL_CERT_FILE`.
    pub(crate) fn new() -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        Ok(Self(builder.enable_http1().wrap_connector(tcp)))
    }

    /// Opens a connection to a base URL.
    pub(crate) async fn open(&self, base: &Uri) -> Result<Stream, Trouble> {
        let opened = self.0.clone().call(base.clone()).await;
        opened.map_err(|error| Trouble::Unreachable(kind(error.as_ref())))
    }
}

/// The kind of the first input or output error among the causes.
fn kind(error: &(dyn Error + 'static)) -> io::ErrorKind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind();
        }
        cause = error.source();
    }
    io::ErrorKind::Other
}
