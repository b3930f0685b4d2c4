//! Bodies: reading one to its end within bounds, and writing one whole or as it comes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::timeout;

use crate::codec::{self, Undecodable};
use crate::error::{Error, Kind};
use crate::metrics::{Held, OperationMetrics, Outcome};
use crate::upstream::Permit;

/// A body on its way to a client.
pub type Body = Either<Full<Bytes>, Relayed>;

/// A request body that was read to its end.
#[derive(Debug)]
pub(super) struct Whole {
    /// As it came.
    pub(super) raw: Bytes,
    /// Decoded; `None` where its coding is unknown or its bytes are not what the coding says.
    pub(super) plain: Option<Bytes>,
}

/// Reads a body to its end, within a size and a time.
pub(super) async fn read(
    body: Incoming,
    headers: &HeaderMap,
    limit: usize,
    time: Duration,
) -> Result<Whole, Error> {
    let too_large = || Error::new(Kind::BodyTooLarge, "the body is larger than server.max_body");
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let reading = timeout(time, Limited::new(body, limit).collect()).await;
    let raw = match reading {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(_)) => return Err(Error::new(Kind::BadRequest, "the body was cut short")),
        Err(_) => return Err(Error::new(Kind::RequestTimeout, "the body took too long to come")),
    };
    let Some(coding) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(Whole { plain: Some(raw.clone()), raw });
    };
    // The decoders are large, and most bodies are plain.
    let decoding = codec::decode(coding.to_str().unwrap_or("unknown"), raw.clone(), limit);
    match Box::pin(decoding).await {
        Ok(plain) => Ok(Whole { raw, plain: Some(plain) }),
        Err(Undecodable::TooLarge) => Err(too_large()),
        Err(Undecodable::Unknown | Undecodable::Corrupt) => Ok(Whole { raw, plain: None }),
    }
}

/// A provider's body as it comes. An error of it breaks the client's connection off, since a clean
/// end would be taken for the end of the answer.
#[derive(Debug)]
pub struct Relayed {
    body: Incoming,
    broken: Option<hyper::Error>,
    end: End,
    _permit: Permit,
    _in_flight: Held,
}

impl Relayed {
    pub(super) fn new(body: Incoming, permit: Permit, in_flight: Held, mut end: End) -> Self {
        end.complete = body.is_end_stream();
        Self { body, broken: None, end, _permit: permit, _in_flight: in_flight }
    }
}

/// Counts an answer when its body ends, or is given up.
#[derive(Debug)]
pub(super) struct End {
    pub(super) metrics: Arc<OperationMetrics>,
    pub(super) outcome: Outcome,
    pub(super) received: Instant,
    pub(super) complete: bool,
}

impl Drop for End {
    fn drop(&mut self) {
        self.metrics.finished(self.outcome, self.received.elapsed());
        if !self.complete {
            self.metrics.cancelled.inc();
        }
    }
}

impl HttpBody for Relayed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Err(error)) = frame {
            // hyper drops what it has not yet written when a body fails, but whatever came belongs
            // to the client. It writes when a body has nothing for now, so the error comes after.
            self.end.complete = true;
            self.broken = Some(error);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.end.complete = true;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
