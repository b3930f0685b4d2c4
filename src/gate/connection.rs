//! One connection: hyper's side of a stream that pingora accepted.
//!
//! hyper's own time-out for heads also covers the idle time between requests, which must be longer
//! than any SDK keeps a connection, and sets a timer for each request; so both times are kept here,
//! by a look at the connection every few seconds.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::body::Body;
use crate::config::Server;

/// How long an HTTP/1 connection may stay open when the server drains. A client that is about to
/// send on it would lose its request if it were closed at once; whoever sends within this time is
/// answered, and told to close.
const LAST_CALL: Duration = Duration::from_millis(500);

/// Serves connections as the settings say.
#[derive(Clone)]
pub struct Door {
    builder: Builder<TokioExecutor>,
    patience: Patience,
    tasks: TaskTracker,
}

/// How long a connection may keep larder waiting.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For a head, from its first byte on.
    head: Duration,
    /// Between an answer and the next head.
    idle: Duration,
}

impl Door {
    /// Everything that all connections have in common.
    pub fn new(settings: &Server, tasks: TaskTracker) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(settings.max_head.as_usize().max(8_192));
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.idle_timeout / 2)
            .max_header_list_size(u32::try_from(settings.max_head.0).unwrap_or(u32::MAX));
        let patience = Patience { head: settings.head_timeout, idle: settings.idle_timeout };
        Self { builder, patience, tasks }
    }

    /// Serves one connection to its end. When the server drains, the connection is told so and ends
    /// with the request that is under way.
    pub async fn serve<I, S, F>(&self, io: I, draining: watch::Receiver<bool>, serve: S)
    where
        I: Read + Write + Unpin + Send + 'static,
        S: Fn(Request<Incoming>) -> F,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let pulse = Arc::new(Pulse::new());
        let io = Watched { io, pulse: Arc::clone(&pulse) };
        let service = service_fn(|request: Request<Incoming>| {
            pulse.head_came(request.version());
            let pulse = Arc::clone(&pulse);
            serve(request).map(move |mut response| {
                if pulse.answered() == Next::Close {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            })
        });
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(io, service));
        // What only concerns the connection's beginning and end is watched by a task of its own, so
        // that it costs a request nothing.
        let (tell, mut orders) = mpsc::channel(1);
        let watching = watch_over(Arc::clone(&pulse), draining, self.patience, tell);
        let _watchman = AbortOnDropHandle::new(self.tasks.spawn(watching));
        loop {
            tokio::select! {
                biased;
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                order = orders.recv() => match order {
                    Some(Order::Finish) => connection.as_mut().graceful_shutdown(),
                    Some(Order::Leave) | None => return,
                }
            }
        }
    }
}

/// What a connection is told from outside.
#[derive(Debug)]
enum Order {
    /// End with the request that is under way.
    Finish,
    /// End now.
    Leave,
}

/// Watches over a connection for as long as it lasts: ends it when a head takes too long, when it is
/// idle for too long, and when a draining server has no more patience with it.
async fn watch_over(
    pulse: Arc<Pulse>,
    mut draining: watch::Receiver<bool>,
    patience: Patience,
    tell: mpsc::Sender<Order>,
) {
    let last_call = async {
        if draining.wait_for(|draining| *draining).await.is_err() {
            // Nobody is left who could ask for it.
            pending::<()>().await;
        }
        pulse.draining.store(true, Ordering::Relaxed);
        if !pulse.is_multiplexed() {
            sleep(LAST_CALL).await;
        }
    };
    let mut last_call = pin!(last_call);
    let mut called = false;
    let mut tick = interval(patience.head.min(patience.idle).max(Duration::from_millis(20)) / 2);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = (pulse.movements(), Instant::now());
    loop {
        let order = tokio::select! {
            () = &mut last_call, if !called => {
                called = true;
                Some(Order::Finish)
            }
            _ = tick.tick() => pulse.order(&mut last, patience),
        };
        if let Some(order) = order
            && tell.send(order).await.is_err()
        {
            return;
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// Since when a head has been coming in, as milliseconds after the connection's start; or that none
/// is expected.
struct Pulse {
    start: Instant,
    state: AtomicU64,
    movements: AtomicU32,
    draining: AtomicBool,
}

/// What becomes of a connection after an answer.
#[derive(PartialEq, Eq)]
enum Next {
    Keep,
    Close,
}

const IDLE: u64 = u64::MAX;
const ANSWERING: u64 = u64::MAX - 1;
/// HTTP/2 interleaves requests, and has bounds of its own.
const MULTIPLEXED: u64 = u64::MAX - 2;

impl Pulse {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            state: AtomicU64::new(IDLE),
            movements: AtomicU32::new(0),
            draining: AtomicBool::new(false),
        }
    }

    fn bytes_came(&self) {
        if self.state.load(Ordering::Relaxed) == IDLE {
            self.state.store(self.milliseconds(), Ordering::Relaxed);
        }
    }

    fn head_came(&self, version: Version) {
        let state = if version >= Version::HTTP_2 { MULTIPLEXED } else { ANSWERING };
        self.state.store(state, Ordering::Relaxed);
        self.moved();
    }

    /// Something went in or out.
    fn moved(&self) {
        self.movements.fetch_add(1, Ordering::Relaxed);
    }

    fn movements(&self) -> u32 {
        self.movements.load(Ordering::Relaxed)
    }

    /// What is to become of the connection now; `last` is the last movement that was seen, and when.
    fn order(&self, last: &mut (u32, Instant), patience: Patience) -> Option<Order> {
        let (state, movements) = (self.state.load(Ordering::Relaxed), self.movements());
        if state == IDLE && movements == last.0 {
            let is_over = last.1.elapsed() >= patience.idle;
            return is_over.then_some(Order::Finish);
        }
        *last = (movements, Instant::now());
        if self.head_is_late(patience.head) {
            tracing::debug!("a request head took too long to come");
            return Some(Order::Leave);
        }
        None
    }

    fn answered(&self) -> Next {
        if self.state.load(Ordering::Relaxed) == ANSWERING {
            self.state.store(IDLE, Ordering::Relaxed);
        }
        let close = self.draining.load(Ordering::Relaxed) && !self.is_multiplexed();
        if close { Next::Close } else { Next::Keep }
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
        self.pulse.moved();
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pulse.moved();
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
