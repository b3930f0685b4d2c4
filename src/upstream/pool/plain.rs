//! Calls over HTTP/1.1 without TLS, on connections that whoever makes a call drives: what an answer brings
//! goes no way from task to task.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri};

use super::BoxError;
use super::arriving::Arriving;
use super::connect::Connector;
use super::idle::Idle;
use super::line::{Asked, Line, Names};
use super::resend::is_end;
use crate::config::Provider;

/// The client of one provider that speaks HTTP/1.1 without TLS.
pub(super) struct Plain {
    pub(super) connector: Connector,
    pub(super) idle: Arc<Idle<Line>>,
    names: Arc<Names>,
}

impl Plain {
    pub(super) fn new(connector: Connector, provider: &Provider) -> Self {
        Self { connector, idle: Idle::new(provider), names: Arc::default() }
    }

    /// Sends a request whose body is all there. One that found its connection closed before it left takes
    /// another, and so does an idempotent one whose connection was closed at that moment.
    pub(super) async fn send(
        &self,
        (method, to): (&Method, &Uri),
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Arriving>, BoxError> {
        let asked = Asked::new((method, to), headers, body, &self.names);
        let mut may_repeat = method.is_idempotent();
        loop {
            let waiting = self.idle.take();
            let is_new = waiting.is_none();
            let mut line = match waiting {
                Some(line) => line,
                // Boxed, since few open one, and everybody's state would have room for it.
                None => Box::pin(self.open(to)).await?,
            };
            match line.exchange(&asked).await {
                Ok(response) => return Ok(response.map(|()| Arriving::driven(*line, &self.idle))),
                Err(failed) if failed.is_unsent && !is_new => {}
                Err(failed) if may_repeat && !is_new && is_end(&failed.error) => may_repeat = false,
                Err(failed) => return Err(failed.error.into()),
            }
        }
    }

    /// Boxed, since whoever may have one would have room for it, and is moved about.
    pub(super) async fn open(&self, to: &Uri) -> Result<Box<Line>, BoxError> {
        let stream = self.connector.open(to.clone()).await?;
        Ok(Box::new(Line::new(stream.in_clear().ok_or("a connection with TLS, unasked")?)))
    }
}
