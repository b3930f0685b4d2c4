//! TLS on the proxy's TCP listener: the certificate as it is now, and the handshake.

use std::fmt;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Failure;
use super::accept::Stream;
use crate::config::Server;
use crate::gate::connection::LAST_CALL;
use crate::throttle::Throttle;

/// How new connections are encrypted; `None` is that they are not.
pub(super) type Encryption = Option<TlsAcceptor>;

/// What a reload replaces, between two connections.
pub(super) struct Tls {
    now: RwLock<Encryption>,
    patience: Duration,
}

impl Tls {
    /// As the settings say. The time for a handshake is that of a request's head.
    pub(super) fn new(server: &Server) -> Result<Self, Failure> {
        Ok(Self { now: RwLock::new(read(server)?), patience: server.head_timeout })
    }

    /// Whether connections are encrypted, but those of the socket file.
    pub(super) fn is_on(&self) -> bool {
        self.now.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The handshake for a new connection; `None` where connections are not encrypted.
    pub(super) fn handshake(&self) -> Option<Handshake> {
        let acceptor = self.now.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(Handshake { acceptor, timeout: self.patience })
    }

    /// From now on for all new connections; those that are open go on as they began.
    pub(super) fn set(&self, encryption: Encryption) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = encryption;
    }
}

/// The handshake of one connection.
pub(super) struct Handshake {
    acceptor: TlsAcceptor,
    timeout: Duration,
}

impl Handshake {
    /// The encrypted stream. `None` after a failure, a time-out, or soon after a drain has begun: there is no
    /// request yet that could be lost.
    pub(super) async fn accept(
        self,
        stream: Stream,
        mut draining: watch::Receiver<bool>,
    ) -> Option<TlsStream<Stream>> {
        let last_call = async {
            if draining.wait_for(|draining| *draining).await.is_err() {
                pending::<()>().await;
            }
            sleep(LAST_CALL).await;
        };
        tokio::select! {
            shaken = timeout(self.timeout, self.acceptor.accept(stream)) => match shaken {
                Ok(Ok(stream)) => Some(stream),
                Ok(Err(error)) => {
                    tell(&error);
                    None
                }
                Err(_) => {
                    tracing::debug!("a TLS handshake took longer than head_timeout");
                    None
                }
            },
            () = last_call => None,
        }
    }
}

/// Logs a handshake that failed. Clients without TLS have a wrong base URL.
fn tell(error: &io::Error) {
    static TOLD: Mutex<Throttle> = Mutex::new(Throttle::new());
    if !error.to_string().contains("InvalidContentType") {
        tracing::debug!(%error, "a TLS handshake failed");
    } else if let Some(suppressed) = Throttle::shared(&TOLD) {
        tracing::warn!(
            suppressed,
            "a client does not speak TLS to a listener with it: write https:// in its base URL"
        );
    }
}

/// What the files hold, if they belong together.
pub(super) fn read(server: &Server) -> Result<Encryption, Failure> {
    let (cert, key) = (&server.tls_cert, &server.tls_key);
    if !cert.is_named() {
        return Ok(None);
    }
    let wrong_cert = |reason: &dyn fmt::Display| {
        Failure::config("server.tls_cert", format_args!("{}: {reason}", cert.name()))
    };
    let wrong_key = |reason: &dyn fmt::Display| {
        Failure::config("server.tls_key", format_args!("{}: {reason}", key.name()))
    };
    // What the reader of PEM finds wrong may quote the file, and that may be the key.
    let chain = CertificateDer::pem_slice_iter(cert.bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| wrong_cert(&"holds PEM that cannot be read"))?;
    if chain.is_empty() {
        return Err(wrong_cert(&"holds no PEM certificate"));
    }
    let secret = PrivateKeyDer::from_pem_slice(key.bytes())
        .map_err(|_| wrong_key(&"holds no PEM private key that can be read"))?;
    let provider = Arc::new(ring::default_provider());
    let signer =
        provider.key_provider.load_private_key(secret).map_err(|error| wrong_key(&error))?;
    let pair = CertifiedKey::new(chain, signer);
    match pair.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(Error::InconsistentKeys(_)) => {
            let message = format!("is not the key of the certificate in {}", cert.name());
            return Err(wrong_key(&message));
        }
        Err(error) => return Err(wrong_cert(&error)),
    }
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Start(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}
