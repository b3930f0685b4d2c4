//! Bodies: reading one to its end within bounds, and writing one whole or as it comes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::timeout;

use super::budget::Room;
use crate::broadcast::Reader;
use crate::codec::{self, Undecodable};
use crate::error::{Error, Kind};
use crate::metrics::{Held, OperationMetrics, Outcome};
use crate::upstream::{Coming, Permit};

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

/// What a body may take.
pub(super) struct Bounds {
    /// In bytes, also decoded.
    pub(super) size: usize,
    /// To come to its end.
    pub(super) time: Duration,
}

/// Legal JSON hardly compresses to less than one in so many. So much room is taken at first.
const LIKELY: usize = 16;

/// Reads a body to its end, within a size, a time, and the room that there is for bodies.
pub(super) async fn read(
    body: Incoming,
    headers: &HeaderMap,
    bounds: Bounds,
    room: &mut Room<'_>,
) -> Result<Whole, Error> {
    let collecting = collect(body, bounds.size, room);
    let raw = timeout(bounds.time, collecting).await.unwrap_or_else(|_| {
        Err(Error::new(Kind::RequestTimeout, "the body took too long to come"))
    })?;
    let Some(coding) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(Whole { plain: Some(raw.clone()), raw });
    };
    // The decoders are large, and most bodies are plain.
    let coding = coding.to_str().unwrap_or("unknown");
    let plain = Box::pin(decode(coding, &raw, bounds.size, room)).await?;
    room.keep(raw.len() + plain.as_ref().map_or(0, Bytes::len));
    Ok(Whole { raw, plain })
}

fn too_large() -> Error {
    Error::new(Kind::BodyTooLarge, "the body is larger than server.max_body")
}

/// The pieces of a body in one. A body that comes in one piece is not copied; the pieces of others are
/// not kept, since there may be very many of very few bytes.
async fn collect(mut body: Incoming, limit: usize, room: &mut Room<'_>) -> Result<Bytes, Error> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > limit {
        return Err(too_large());
    }
    room.hold(expected)?;
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::new(Kind::BadRequest, "the body was cut short"))?;
        let Ok(piece) = frame.into_data() else { continue };
        let total = first.len() + all.len() + piece.len();
        if total > limit {
            return Err(too_large());
        }
        room.hold(total)?;
        if all.is_empty() && first.is_empty() {
            first = piece;
            continue;
        }
        if all.is_empty() {
            all.reserve(expected.max(total));
            all.extend_from_slice(&first);
            first = Bytes::new();
        }
        all.extend_from_slice(&piece);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// A body in clear; `None` where its coding is unknown, or its bytes are not what the coding says.
async fn decode(
    coding: &str,
    raw: &Bytes,
    limit: usize,
    room: &mut Room<'_>,
) -> Result<Option<Bytes>, Error> {
    for bound in [raw.len().saturating_mul(LIKELY).min(limit), limit] {
        room.hold(raw.len() + bound)?;
        match codec::decode(coding, raw.clone(), bound).await {
            Ok(plain) => return Ok(Some(plain)),
            Err(Undecodable::TooLarge) if bound < limit => {}
            Err(Undecodable::TooLarge) => return Err(too_large()),
            Err(Undecodable::Unknown | Undecodable::Corrupt) => return Ok(None),
        }
    }
    Err(too_large())
}

/// A provider's body as it comes. An error of it breaks the client's connection off, since a clean
/// end would be taken for the end of the answer.
#[derive(Debug)]
pub struct Relayed {
    flow: Flow,
    broken: Option<BoxError>,
    end: End,
    _in_flight: Held,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where the bytes come from.
#[derive(Debug)]
pub(super) enum Flow {
    /// The client's own call, under its permit.
    Own { body: Coming, _permit: Box<Permit> },
    /// A call that others may be reading too, and how many bytes are still to come, if that is known.
    Shared(Reader, Option<u64>),
}

impl Relayed {
    pub(super) fn new(flow: Flow, in_flight: Held, mut end: End) -> Self {
        end.complete = flow.is_at_end();
        Self { flow, broken: None, end, _in_flight: in_flight }
    }
}

impl Flow {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Own { body, .. } => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Self::Shared(reader, rest) => {
                let bytes = ready!(reader.poll_next(context));
                if let (Some(rest), Some(Ok(bytes))) = (rest, &bytes) {
                    *rest = rest.saturating_sub(bytes.len() as u64);
                }
                Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data).map_err(Into::into)))
            }
        }
    }

    fn is_at_end(&self) -> bool {
        match self {
            Self::Own { body, .. } => body.is_end_stream(),
            Self::Shared(_, rest) => *rest == Some(0),
        }
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
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = ready!(self.flow.poll(context));
        if let Some(Err(error)) = frame {
            // hyper drops what it has not yet written when a body fails, but whatever came belongs
            // to the client. It writes when a body has nothing for now, so the error comes after.
            self.end.complete = true;
            self.broken = Some(error);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !matches!(frame, Some(Ok(_))) || self.flow.is_at_end() {
            self.end.complete = true;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.flow.is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.flow {
            Flow::Own { body, .. } => body.size_hint(),
            Flow::Shared(_, rest) => rest.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
