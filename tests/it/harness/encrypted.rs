//! A provider over TLS, which counts who connects to it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Aside, Asked, Authority, Gate, Pair, answer, json};

/// Speaks TLS with a certificate of this authority, and the first of these protocols that a client does.
fn acceptor(authority: &Authority, protocols: &[&str]) -> TlsAcceptor {
    acceptor_of(&authority.issue("provider"), protocols)
}

/// Speaks TLS with a certificate, and the first of these protocols that a client does.
pub(crate) fn acceptor_of(pair: &Pair, protocols: &[&str]) -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.certificate()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// The section of a provider that is called `secure`, with more in it.
fn section(address: SocketAddr, authority: &Authority, more: &str) -> String {
    let (port, ca) = (address.port(), authority.file());
    format!(
        "[providers.secure]\nbase_url = \"https://localhost:{port}/v1\"\nca_file = {ca:?}\n{more}"
    )
}

/// A provider over TLS whose every byte is written by the test.
pub(crate) struct Spoken {
    address: SocketAddr,
    authority: Authority,
    _serving: Aside<()>,
}

impl Spoken {
    /// Each connection is held by what `converse` does with it and with its number, from 0.
    pub(crate) async fn start<F, S>(protocol: &str, converse: F) -> Self
    where
        F: Fn(TlsStream<TcpStream>, usize) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let authority = Authority::new();
        let acceptor = acceptor(&authority, &[protocol]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Aside::start(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                stream.set_nodelay(true).unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                connections.spawn(converse(stream, number));
            }
        });
        Self { address, authority, _serving: serving }
    }

    /// The section of a provider that is called `secure`, with more in it.
    pub(crate) fn config(&self, more: &str) -> String {
        section(self.address, &self.authority, more)
    }
}

/// A provider that ends when this is dropped.
pub(crate) struct Encrypted {
    address: SocketAddr,
    authority: Authority,
    counts: Arc<Counts>,
    _serving: Aside<()>,
}

#[derive(Default)]
struct Counts {
    opened: AtomicUsize,
    open: AtomicUsize,
    calls: AtomicUsize,
    close: Notify,
}

impl Encrypted {
    /// Speaks the first of these protocols that a client does; its answers wait at a gate.
    pub(crate) async fn start(protocols: &[&str], gate: &Gate) -> Self {
        let (authority, counts) = (Authority::new(), Arc::new(Counts::default()));
        let acceptor = acceptor(&authority, protocols);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Stage { acceptor, counts: Arc::clone(&counts), gate: gate.clone() };
        let serving = Aside::start(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(stage.clone().converse(stream));
            }
        });
        Self { address, authority, counts, _serving: serving }
    }

    /// The section of a provider that is called `secure`, with more in it.
    pub(crate) fn config(&self, more: &str) -> String {
        section(self.address, &self.authority, more)
    }

    /// Connections whose handshake was done, so far.
    pub(crate) fn opened(&self) -> usize {
        self.counts.opened.load(Ordering::SeqCst)
    }

    /// Those that are open now.
    pub(crate) fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// Calls that have come so far, answered or not.
    pub(crate) fn calls(&self) -> usize {
        self.counts.calls.load(Ordering::SeqCst)
    }

    /// Closes all that are open.
    pub(crate) fn close(&self) {
        self.counts.close.notify_waiters();
    }
}

#[derive(Clone)]
struct Stage {
    acceptor: TlsAcceptor,
    counts: Arc<Counts>,
    gate: Gate,
}

impl Stage {
    async fn converse(self, stream: TcpStream) {
        let Ok(stream) = self.acceptor.accept(stream).await else { return };
        let counts = Arc::clone(&self.counts);
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let service = service_fn(move |request| self.clone().exchange(request));
        let io = TokioIo::new(stream);
        counts.opened.fetch_add(1, Ordering::SeqCst);
        counts.open.fetch_add(1, Ordering::SeqCst);
        if is_h2 {
            let builder = http2::Builder::new(TokioExecutor::new());
            until_closed(&counts, builder.serve_connection(io, service)).await;
        } else {
            until_closed(&counts, http1::Builder::new().serve_connection(io, service)).await;
        }
        counts.open.fetch_sub(1, Ordering::SeqCst);
    }

    async fn exchange(self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let number = self.counts.calls.fetch_add(1, Ordering::SeqCst);
        let (Parts { method, uri, headers, .. }, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        self.gate.pass().await;
        let asked = Asked { method, path: uri.to_string(), headers, body, number };
        Ok(json(200, &answer(&asked)))
    }
}

async fn until_closed<T>(counts: &Counts, serving: impl Future<Output = T>) {
    tokio::select! {
        _ = serving => {}
        () = counts.close.notified() => {}
    }
}
