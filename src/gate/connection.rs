//! One connection: hyper's side of a stream that pingora accepted.
//!
//! hyper's own time-out for heads also covers the idle time between requests, which must be longer
//! than any SDK keeps a connection; so the time for a head, from its first byte on, is kept here.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::body::Body;
use crate::config::Server;

/// How long an HTTP/1 connection may stay open when the server drains. A client that is about to
/// send on it would lose its request if it were closed at once; whoever sends within this time is
/// answered, and told to close.
const LAST_CALL: Duration = Duration::from_millis(500);

/// Request heads of SDKs have some 20 headers; hyper's default is 100.
const MAX_HEADERS: usize = 256;

/// Serves connections as the settings say.
#[derive(Clone)]
pub struct Door {
    builder: Builder<TokioExecutor>,
    head_timeout: Duration,
}

impl Door {
    /// Everything that all connections have in common.
    pub fn new(settings: &Server) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.idle_timeout)
            .max_buf_size(settings.max_head.as_usize().max(8_192))
            .max_headers(MAX_HEADERS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.idle_timeout / 2)
            .max_header_list_size(u32::try_from(settings.max_head.0).unwrap_or(u32::MAX));
        Self { builder, head_timeout: settings.head_timeout }
    }

    /// Serves one connection to its end. When the server drains, the connection is told so and ends
    /// with the request that is under way.
    pub async fn serve<I, S, F>(&self, io: I, draining: &mut watch::Receiver<bool>, serve: S)
    where
        I: Read + Write + Unpin + Send + 'static,
        S: Fn(Request<Incoming>) -> F,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let pulse = Arc::new(Pulse::new());
        let io = Watched { io, pulse: Arc::clone(&pulse) };
        let draining_now = draining.clone();
        let service = service_fn(|request: Request<Incoming>| {
            pulse.head_came(request.version());
            let (answering, pulse) = (serve(request), Arc::clone(&pulse));
            let last = draining_now.clone();
            async move {
                let mut response = answering.await;
                pulse.answered();
                if *last.borrow() && !pulse.is_multiplexed() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let mut tick = interval(self.head_timeout.max(Duration::from_millis(20)) / 2);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_call = pin!(Self::last_call(draining, &pulse));
        let mut told = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                _ = tick.tick() => {
                    if pulse.head_is_late(self.head_timeout) {
                        tracing::debug!("a request head took too long to come");
                        return;
                    }
                }
                () = &mut last_call, if !told => {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    /// Ends when a draining server has no more patience with this connection.
    async fn last_call(draining: &mut watch::Receiver<bool>, pulse: &Pulse) {
        if draining.wait_for(|draining| *draining).await.is_err() {
            // Nobody is left who could ask for it.
            pending::<()>().await;
        }
        if !pulse.is_multiplexed() {
            sleep(LAST_CALL).await;
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("head_timeout", &self.head_timeout).finish_non_exhaustive()
    }
}

/// Since when a head has been coming in, as milliseconds after the connection's start; or that none
/// is expected.
struct Pulse {
    start: Instant,
    state: AtomicU64,
}

const IDLE: u64 = u64::MAX;
const ANSWERING: u64 = u64::MAX - 1;
/// HTTP/2 interleaves requests, and has bounds of its own.
const MULTIPLEXED: u64 = u64::MAX - 2;

impl Pulse {
    fn new() -> Self {
        Self { start: Instant::now(), state: AtomicU64::new(IDLE) }
    }

    fn bytes_came(&self) {
        if self.state.load(Ordering::Relaxed) == IDLE {
            self.state.store(self.milliseconds(), Ordering::Relaxed);
        }
    }

    fn head_came(&self, version: Version) {
        let state = if version >= Version::HTTP_2 { MULTIPLEXED } else { ANSWERING };
        self.state.store(state, Ordering::Relaxed);
    }

    fn answered(&self) {
        if self.state.load(Ordering::Relaxed) == ANSWERING {
            self.state.store(IDLE, Ordering::Relaxed);
        }
    }

    fn is_multiplexed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == MULTIPLEXED
    }

    fn head_is_late(&self, timeout: Duration) -> bool {
        let since = self.state.load(Ordering::Relaxed);
        since < MULTIPLEXED
            && u128::from(self.milliseconds().saturating_sub(since)) > timeout.as_millis()
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(0)
    }
}

/// A stream that tells when bytes come in.
struct Watched<I> {
    io: I,
    pulse: Arc<Pulse>,
}

impl<I: Read + Unpin> Read for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_read(context, buffer);
        if matches!(poll, Poll::Ready(Ok(()))) {
            self.pulse.bytes_came();
        }
        poll
    }
}

impl<I: Write + Unpin> Write for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
