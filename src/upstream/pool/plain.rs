//! Connections over HTTP/1.1 that whoever makes a call drives: they have no task of their own, so what
//! an answer brings goes no way from task to task.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::uri::{Parts, PathAndQuery};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};

use super::arriving::Arriving;
use super::connect::Connector;
use super::counted::Counted;
use super::idle::{Idle, Reusable};
use super::{BoxError, RequestBody};
use crate::bell::Bell;
use crate::config::Provider;

/// The client of one provider that speaks HTTP/1.1 without TLS.
pub(super) struct Plain {
    pub(super) connector: Connector,
    pub(super) idle: Arc<Idle<Line>>,
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

impl Plain {
    pub(super) fn new(connector: Connector, provider: &Provider) -> Self {
        Self { connector, idle: Idle::new(provider) }
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
    pub(super) async fn open(&self, to: &Uri) -> Result<Box<Line>, BoxError> {
        let stream = self.connector.open(to.clone()).await?;
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
}

impl Reusable for Line {
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
