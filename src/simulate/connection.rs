//! One connection: HTTP/1.1 or HTTP/2 by its first bytes, and the fault that cuts it off.
//!
//! Knows nothing of what is asked; it reads a request whole and hands it on.

use std::convert::Infallible;
use std::future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use super::compress::compress;
use super::provider::Provider;
use super::reply::{self, Body};
use super::shapes::Shape;
use super::{chat, control, openai};

/// The largest request body, well above what 2,048 inputs of 8,192 tokens would take.
const MAX_BODY_BYTES: usize = 256 << 20;
/// HTTP/2 clients send everything on one connection; hyper's default of 200 would be a limit that
/// nobody asked for.
const MAX_STREAMS: u32 = 10_000;

/// Serves one connection until its peer leaves, a fault cuts it, or `stopped` loses its sender and
/// the exchange under way is done.
pub(super) async fn run(
    stream: TcpStream,
    provider: Arc<Provider>,
    mut stopped: watch::Receiver<()>,
) {
    // A peer that is gone already shows as a read error below.
    stream.set_nodelay(true).ok();
    let _open = provider.stats().connect();
    let cut = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (provider, cut) = (Arc::clone(&provider), Arc::clone(&cut));
        async move { Ok::<_, Infallible>(exchange(&provider, &cut, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = cut.notified() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = cut.notified() => {}
    }
}

async fn exchange(
    provider: &Arc<Provider>,
    cut: &Notify,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    // Read to its end even for a call that is then refused: a connection with an unread body
    // cannot be used again, and a refusal must not look like a fault.
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return reply::plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or incomplete");
    };
    if let Some(response) = respond(provider, &head, &body.to_bytes()).await {
        if provider.compresses() {
            return compress(&head.headers, response).await;
        }
        return response;
    }
    cut.notify_one();
    // Dropped together with the connection.
    future::pending().await
}

/// What is answered; nothing if the connection is to be cut.
async fn respond(provider: &Arc<Provider>, head: &Parts, body: &Bytes) -> Option<Response<Body>> {
    if let Some(name) = head.uri.path().strip_prefix("/__") {
        return Some(control::answer(provider, (&head.method, name), body));
    }
    provider.stats().request(&head.headers);
    if let Some(answered) = chat::answer(provider, head, body).await {
        return answered;
    }
    if let Some(shape) = Shape::of(&head.method, head.uri.path()) {
        return shape.answer(provider, head.uri.path(), body).await;
    }
    openai::answer(provider, head, body).await
}
