//! One connection: HTTP on a stream that the server accepted.
//!
//! hyper's own time-out for heads also covers the idle time between requests, which must be longer
//! than any SDK keeps a connection, and sets a timer for each request; so both times are kept here,
//! by a look at the connection every few seconds.

use std::convert::Infallible;
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::body::{Body, BoxError};
use super::express::Express;
use super::pulse::{Next, Order, Patience, Pulse};
use super::straight::{Ended, Straight, is_in_chunks, takes_chunks};
use super::stream_task::StreamExecutor;
use super::watched::Watched;
use crate::bell::Bell;
use crate::config::Server;

/// How long an HTTP/1 connection may stay open when the server drains. A client that is about to
/// send on it would lose its request if it were closed at once; whoever sends within this time is
/// answered, and told to close.
pub const LAST_CALL: Duration = Duration::from_millis(500);

/// How many requests of one HTTP/2 connection are served at once. So many, each with a body, are what a
/// single connection may cost.
const STREAMS: u32 = 200;

/// How many requests a client may take back before they are looked at; beyond it the connection ends.
const RESETS: usize = 20;

/// How many requests larder may break off for errors of one client's before the connection ends.
const ERRORS: usize = 256;

/// How much of an answer is held for an HTTP/2 request that does not take it.
const SEND_BUFFER: usize = 256 << 10;

/// Serves connections as the settings say.
#[derive(Clone)]
pub struct Door {
    builder: Builder<StreamExecutor>,
    patience: Patience,
    buffer: usize,
    tasks: TaskTracker,
}

impl Door {
    /// Everything that all connections have in common.
    pub fn new(settings: &Server, tasks: TaskTracker) -> Self {
        let (write_timeout, of_streams) = (settings.write_timeout, tasks.clone());
        let mut builder = Builder::new(StreamExecutor { write_timeout, tasks: of_streams });
        let buffer = settings.max_head.as_usize().max(8_192);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(buffer);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.idle_timeout / 2)
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(ERRORS)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(settings.max_head.0).unwrap_or(u32::MAX));
        let patience = Patience {
            head: settings.head_timeout,
            idle: settings.idle_timeout,
            write: settings.write_timeout,
        };
        Self { builder, patience, buffer, tasks }
    }

    /// Serves one connection to its end. When the server drains, the connection is told so and ends
    /// with the request that is under way.
    ///
    /// Small, and not `async`: what each piece of a stream passes lies together in the task.
    pub fn serve<I, S, F>(
        &self,
        (io, express): (I, Option<Box<Express>>),
        draining: watch::Receiver<bool>,
        serve: S,
    ) -> impl Future<Output = ()> + use<I, S, F>
    where
        I: Read + Write + Unpin + Send + 'static,
        S: Fn(Request<Incoming>) -> F + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        // One after the other, so that they lie together too.
        let (mut bell, pulse) = (Bell::new(), Arc::new(Pulse::new()));
        let (straight, io) = Straight::beside(io);
        let io = Watched::new((io, express), &pulse, self.buffer);
        let (hypers, beside) = (Arc::clone(&pulse), Arc::clone(&straight));
        let service = service_fn(move |request: Request<Incoming>| {
            hypers.head_came(request.version());
            let pulse = Arc::clone(&hypers);
            let straight = takes_chunks(&request).then(|| Arc::clone(&beside));
            serve(request).map(move |mut response| {
                let straight = straight.filter(|_| is_in_chunks(&response));
                if pulse.answered(response.status()) == Next::Close {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response.map(|body| Ended::new(body, pulse, straight)))
            })
        });
        let connection = self.builder.serve_connection_with_upgrades(io, service);
        let mut connection = Box::pin(connection.into_owned());
        // What only concerns the connection's beginning and end is watched by a task of its own, so
        // that it costs a request nothing.
        let watching = watch_over(Arc::clone(&pulse), draining, self.patience);
        let watchman = AbortOnDropHandle::new(self.tasks.spawn(watching));
        poll_fn(move |context| {
            let serving = |context: &mut Context<'_>| loop {
                if let Poll::Ready(result) = connection.as_mut().poll(context) {
                    return Poll::Ready(result);
                }
                match ready!(pulse.poll_order(context)) {
                    Order::Finish => connection.as_mut().graceful_shutdown(),
                    // It is polled again, and sees for itself.
                    Order::GoOn => {}
                    Order::Leave => return Poll::Ready(Ok(())),
                }
            };
            let ended = ready!(past(&mut bell, serving, (&straight, &pulse), context));
            watchman.abort();
            if let Err(error) = ended {
                tracing::debug!(error, "client connection closed with an error");
            }
            Poll::Ready(())
        })
    }
}

/// Polls hyper if it has something to do, and then what goes past it.
fn past<I: Write + Unpin>(
    bell: &mut Bell,
    mut hyper: impl FnMut(&mut Context<'_>) -> Poll<Result<(), BoxError>>,
    (straight, pulse): (&Straight<I>, &Pulse),
    context: &mut Context<'_>,
) -> Poll<Result<(), BoxError>> {
    loop {
        if let Poll::Ready(result) = bell.poll(context, &mut hyper) {
            return Poll::Ready(result);
        }
        if let Err(error) = ready!(straight.poll(pulse, context)) {
            return Poll::Ready(Err(error.into()));
        }
    }
}

/// Watches over a connection for as long as it lasts: ends it when a head takes too long, when it is
/// idle for too long, and when a draining server has no more patience with it.
async fn watch_over(pulse: Arc<Pulse>, mut draining: watch::Receiver<bool>, patience: Patience) {
    let last_call = async {
        if draining.wait_for(|draining| *draining).await.is_err() {
            // Nobody is left who could ask for it.
            pending::<()>().await;
        }
        pulse.drain();
        if !pulse.is_multiplexed() {
            sleep(LAST_CALL).await;
        }
    };
    let mut last_call = pin!(last_call);
    let mut called = false;
    let shortest = patience.head.min(patience.idle).min(patience.write);
    let mut tick = interval(shortest.max(Duration::from_millis(20)) / 2);
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
        if let Some(order) = order {
            pulse.give(order);
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("patience", &self.patience).finish_non_exhaustive()
    }
}
