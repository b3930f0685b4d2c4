//! A provider whose answers come piece by piece, as the test says, and that notices who leaves.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::thread;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::provider::runtime;
use super::{PATIENCE, until};

/// A provider that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Teller {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<Telling>>>,
    _stop: oneshot::Sender<()>,
}

/// One call, and the way to answer it.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    pub(crate) body: Bytes,
    pieces: mpsc::Sender<Piece>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
    Cut,
}

impl Teller {
    /// A provider of one media type. Its heads come at once.
    pub(crate) fn of(media_type: &'static str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&calls);
        thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = play(listener, told, media_type) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, calls, _stop: stop }
    }

    pub(crate) fn events() -> Self {
        Self::of("text/event-stream")
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// The call of this number, once it has come.
    pub(crate) async fn call(&self, number: usize) -> Telling {
        until("the provider is called", || async { self.calls() > number }).await;
        self.calls.lock().unwrap()[number].clone()
    }
}

impl Telling {
    pub(crate) async fn say(&self, text: impl Into<Bytes>) {
        self.pieces.send(Piece::Bytes(text.into())).await.unwrap();
    }

    pub(crate) async fn end(&self) {
        self.pieces.send(Piece::End).await.unwrap();
    }

    pub(crate) async fn cut(&self) {
        self.pieces.send(Piece::Cut).await.unwrap();
    }

    /// Waits until the other side is gone.
    pub(crate) async fn left(&self) {
        timeout(PATIENCE, self.pieces.closed()).await.expect("the other side stays");
    }

    pub(crate) fn is_left(&self) -> bool {
        self.pieces.is_closed()
    }
}

async fn play(listener: TcpListener, calls: Arc<Mutex<Vec<Telling>>>, media_type: &'static str) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let calls = Arc::clone(&calls);
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let calls = Arc::clone(&calls);
                async move {
                    let body = request.into_body();
                    let body = body.collect().await.unwrap().to_bytes();
                    let (pieces, told) = mpsc::channel(4);
                    calls.lock().unwrap().push(Telling { body, pieces });
                    let answer = Response::builder().header("content-type", media_type);
                    Ok::<_, Infallible>(answer.body(Told(told)).unwrap())
                }
            });
            let builder = auto::Builder::new(TokioExecutor::new());
            // A peer that leaves, or a connection that is cut, is nothing to report.
            drop(builder.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

struct Told(mpsc::Receiver<Piece>);

impl Body for Told {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match ready!(self.0.poll_recv(context)) {
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) | None => None,
            Some(Piece::Cut) => Some(Err(io::Error::other("cut"))),
        })
    }
}
