//! Connections over HTTP/1.1 that whoever makes a call drives: they have no task of their own, so what
//! an answer brings goes no way from task to task.
//!
//! Nobody looks at a connection while it is not in use. That the provider has closed it is seen when it
//! is taken, and it is closed when its time has passed.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::uri::{Parts, PathAndQuery};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use tokio::runtime::Handle;
use tokio::time::sleep;
use tower_service::Service;

use super::arriving::Arriving;
use super::connect::Connector;
use super::counted::Counted;
use super::{BoxError, RequestBody};
use crate::bell::Bell;
use crate::config::Provider;

/// The client of one provider that speaks HTTP/1.1 without TLS.
pub(super) struct Plain {
    connector: Connector,
    idle: Arc<Idle>,
}

/// An open connection, and what drives it.
pub(super) struct Line {
    sender: SendRequest<RequestBody>,
    driven: Driven,
}

/// A connection, driven when it rings.
struct Driven {
    end: End,
    bell: Bell,
}

/// larder's end of a connection.
struct End {
    connection: Connection<Counted, RequestBody>,
    is_over: bool,
}

/// The connections that nobody uses now, the latest last.
pub(super) struct Idle {
    lines: Mutex<Lines>,
    most: usize,
    timeout: Duration,
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<(Instant, Box<Line>)>,
    is_watched: bool,
}

impl Plain {
    pub(super) fn new(connector: Connector, provider: &Provider) -> Self {
        let (most, timeout) = (provider.idle_connections as usize, provider.idle_timeout);
        Self { connector, idle: Arc::new(Idle { lines: Mutex::default(), most, timeout }) }
    }

    /// Sends a request. One that found its connection closed before it left takes another.
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Arriving>, BoxError> {
        let to = request.uri().clone();
        let mut request = in_origin_form(request)?;
        loop {
            let waiting = self.idle.take();
            let is_new = waiting.is_none();
            let mut line = match waiting {
                Some(line) => line,
                // Boxed, since few open one, and everybody's state would have room for it.
                None => Box::pin(self.open(&to)).await?,
            };
            match line.exchange(request).await {
                Ok(response) => {
                    return Ok(response.map(|body| Arriving::driven(body, line, &self.idle)));
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(failed.into_error().into()),
                },
            }
        }
    }

    /// Boxed, since whoever may have one would have room for it, and is moved about.
    async fn open(&self, to: &Uri) -> Result<Box<Line>, BoxError> {
        let stream = self.connector.clone().call(to.clone()).await?;
        let (sender, connection) = http1::handshake(stream).await?;
        let driven = Driven { end: End { connection, is_over: false }, bell: Bell::new() };
        Ok(Box::new(Line { sender, driven }))
    }
}

/// The host goes into its header, and the path stays: RFC 9112, section 3.2.1.
fn in_origin_form(mut request: Request<RequestBody>) -> Result<Request<RequestBody>, BoxError> {
    let Parts { authority, path_and_query, .. } = request.uri().clone().into_parts();
    if let Some(authority) = authority {
        let host = authority.as_str();
        let host = HeaderValue::from_str(host.strip_suffix(":80").unwrap_or(host))?;
        request.headers_mut().insert(header::HOST, host);
    }
    let path = path_and_query.unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    Ok(request)
}

impl Line {
    #[expect(clippy::manual_async_fn, reason = "the compiler must be told that it may be sent")]
    fn exchange(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + Send
    {
        async move {
            let mut answer = pin!(self.sender.try_send_request(request));
            let driven = &mut self.driven;
            poll_fn(|context| driven.poll(context, |context| answer.as_mut().poll(context))).await
        }
    }

    /// Lets what has come go on its way, and polls what may have come of it.
    pub(super) fn poll<T>(
        &mut self,
        context: &Context<'_>,
        poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.driven.poll(context, poll)
    }

    /// Whether it is open, and done with the request before.
    fn is_free(&mut self) -> bool {
        self.driven.end.drive(&mut Context::from_waker(Waker::noop()));
        !self.driven.end.is_over && self.sender.is_ready()
    }
}

impl Driven {
    fn poll<T>(
        &mut self,
        context: &Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Self { end, bell } = self;
        bell.poll(context, |context| {
            end.drive(context);
            poll(context)
        })
    }
}

impl End {
    /// Lets what has come go on its way. How the connection ends is told to whoever waits for its answer or
    /// reads it.
    fn drive(&mut self, context: &mut Context<'_>) {
        if !self.is_over {
            self.is_over = Pin::new(&mut self.connection).poll(context).is_ready();
        }
    }
}

impl Idle {
    /// The one that was used last, since it is the least likely to be closed.
    fn take(&self) -> Option<Box<Line>> {
        loop {
            let (since, mut line) = self.lock().waiting.pop_back()?;
            if since.elapsed() < self.timeout && line.is_free() {
                return Some(line);
            }
        }
    }

    /// Keeps a connection for the next call, if it can carry one.
    pub(super) fn put(self: &Arc<Self>, mut line: Box<Line>) {
        if self.most == 0 || !line.is_free() {
            return;
        }
        let mut lines = self.lock();
        let oldest = (lines.waiting.len() >= self.most).then(|| lines.waiting.pop_front());
        lines.waiting.push_back((Instant::now(), line));
        if !lines.is_watched
            && let Ok(runtime) = Handle::try_current()
        {
            lines.is_watched = true;
            runtime.spawn(watch(Arc::downgrade(self), self.timeout));
        }
        drop(lines);
        drop(oldest);
    }

    /// Closes those whose time has passed; when to look again, if there are others.
    fn close(&self) -> Option<Duration> {
        let mut lines = self.lock();
        let is_old = |(since, _): &mut (Instant, Box<Line>)| since.elapsed() >= self.timeout;
        let mut old = Vec::new();
        while let Some(line) = lines.waiting.pop_front_if(is_old) {
            old.push(line);
        }
        let next =
            lines.waiting.front().map(|(since, _)| self.timeout.saturating_sub(since.elapsed()));
        lines.is_watched = next.is_some();
        drop(lines);
        next
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds nothing, and ends by itself: nothing that a drain has to wait for.
async fn watch(idle: Weak<Idle>, timeout: Duration) {
    let mut next = Some(timeout);
    while let Some(wait) = next {
        sleep(wait).await;
        next = idle.upgrade().and_then(|idle| idle.close());
    }
}
