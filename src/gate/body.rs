//! Bodies: reading one to its end within bounds, and writing one whole or as it comes.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, header};
use http_body_util::{Either, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::timeout;

use super::end::End;
use super::failing::{Failing, Heard};
use super::meter::Meter;
use super::taped::Taped;
use crate::broadcast::Reader;
use crate::ceiling::Room;
use crate::error::{Error, Kind};
use crate::metrics::Held;
use crate::serve::Change;
use crate::serve::reply::Passage;
use crate::upstream::{ClientTime, Coming, Permit};
use crate::whole::{self, Unread};

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

/// Maximum number of copies that larder makes of a body, besides the body itself.
pub const MAX_COPIES: usize = 2;

/// Bounds of a body that is read to its end.
pub(super) struct Bounds {
    /// In bytes, also decoded.
    pub(super) size: usize,
    /// Copies of the decoded body that are made while it is served. They are counted with it.
    pub(super) copies: usize,
    /// To come to its end.
    pub(super) time: Duration,
}

/// Reads a body to its end, within a size, a time, and the room that there is for bodies.
pub(super) async fn read(
    body: Incoming,
    headers: &HeaderMap,
    bounds: Bounds,
    room: &mut Room,
) -> Result<Whole, Error> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let is_encoded = headers.contains_key(header::CONTENT_ENCODING);
    if expected <= bounds.size && !is_encoded {
        // Before the body comes, not after.
        room.hold(expected.saturating_mul(1 + bounds.copies))?;
    }
    let collecting = whole::collect(body, bounds.size, room);
    let raw = timeout(bounds.time, collecting)
        .await
        .map_err(|_| late(bounds.time))?
        .map_err(|why| unread(why, bounds.size))?;
    let Some(coding) = headers.get(header::CONTENT_ENCODING) else {
        room.hold(raw.len().saturating_mul(1 + bounds.copies))?;
        return Ok(Whole { plain: Some(raw.clone()), raw });
    };
    // The decoders are large, and most bodies are plain.
    let coding = coding.to_str().unwrap_or("unknown");
    match whole::decode(coding, &raw, bounds.size, room).await {
        Ok(plain) => {
            room.hold(plain.len().saturating_mul(1 + bounds.copies).saturating_add(raw.len()))?;
            Ok(Whole { raw, plain: Some(plain) })
        }
        Err(Unread::Undecodable) => Ok(Whole { raw, plain: None }),
        Err(error) => Err(unread(error, bounds.size)),
    }
}

fn late(limit: Duration) -> Error {
    let message = format!("the request body did not arrive within {limit:?} (server.body_timeout)");
    Error::new(Kind::RequestTimeout, message)
}

fn unread(why: Unread<hyper::Error>, limit: usize) -> Error {
    match why {
        Unread::TooLarge => {
            let message =
                format!("the request body is larger than {limit} bytes (server.max_body)");
            Error::new(Kind::BodyTooLarge, message)
        }
        Unread::NoRoom(error) => error,
        Unread::Cut(_) => Error::new(Kind::BadRequest, "the request body ended early"),
        Unread::Undecodable => {
            Error::new(Kind::BadRequest, "the request body does not match its Content-Encoding")
        }
    }
}

/// A provider's body as it comes. An error of it breaks the client's connection off, since a clean
/// end would be taken for the end of the answer.
#[derive(Debug)]
#[repr(C)] // what is looked at for each piece comes first
pub struct Relayed {
    flow: Flow,
    broken: Option<BoxError>,
    /// The count of the response, unless it is the admin API's.
    end: Option<End>,
    _in_flight: Option<Held>,
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where the bytes come from.
#[derive(Debug)]
pub(super) enum Flow {
    /// The client's own call.
    Own(Box<Own>),
    /// A call that others may be reading too, and how many bytes are still to come, if that is known.
    Shared(Reader, Option<u64>),
    /// Either of them, recorded on its way.
    Taped(Box<Taped>),
    /// Any of them, a failed response whose message is read along.
    Heard(Box<Heard>),
    /// Events of the admin API.
    Events(Events),
    /// Nothing any more.
    Ended,
}

/// The client's own call, with what is held to its end.
#[derive(Debug)]
#[repr(C, align(64))] // what is looked at for each piece of an answer is in one place
pub(super) struct Own {
    body: Coming,
    change: Option<Box<Change>>,
    meter: Option<Meter>,
    /// The time in which the client does not ask for the next piece.
    client: Arc<ClientTime>,
    _permit: Box<Permit>,
}

impl Own {
    pub(super) fn new(body: Coming, passage: Passage, meter: Option<Meter>) -> Self {
        let Passage { permit, change } = passage;
        let client = permit.client_time();
        client.begin();
        Self { body, change: change.map(Box::new), meter, client, _permit: Box::new(permit) }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.client.end();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.client.begin();
        // Before the client has it, who may then ask what has become of its change.
        self.change.iter().for_each(|change| change.forget());
        if let (Some(Ok(frame)), Some(meter)) = (&frame, &mut self.meter) {
            frame.data_ref().into_iter().for_each(|piece| meter.take(piece));
        }
        if self.body.is_end_stream() || frame.is_none() {
            let meter = self.meter.take();
            if let Some(meter) = meter {
                meter.end(self.body.span());
            }
        }
        Poll::Ready(frame)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.meter.take().into_iter().for_each(Meter::cut);
    }
}

impl Relayed {
    pub(super) fn new(flow: Flow, in_flight: Held, mut end: End) -> Self {
        end.complete = flow.is_at_end();
        Self { flow, broken: None, end: Some(end), _in_flight: Some(in_flight) }
    }

    /// Has a failed response noted when it has come.
    pub(super) fn hear(&mut self, failing: Failing) {
        let flow = mem::replace(&mut self.flow, Flow::Ended);
        self.flow = Flow::Heard(Box::new(Heard::new(flow, failing)));
    }

    /// A response of the admin API that has no end of its own.
    pub(super) fn events(events: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        let flow = Flow::Events(Events(Box::pin(events)));
        Self { flow, broken: None, end: None, _in_flight: None }
    }
}

/// A stream of events.
pub(super) struct Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Flow {
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Own(own) => own.poll(context),
            Self::Shared(reader, rest) => {
                let bytes = ready!(reader.poll_next(context));
                if let (Some(rest), Some(Ok(bytes))) = (rest, &bytes) {
                    *rest = rest.saturating_sub(bytes.len() as u64);
                }
                Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data).map_err(Into::into)))
            }
            Self::Taped(taped) => taped.poll(context),
            Self::Heard(heard) => heard.poll(context),
            Self::Events(Events(events)) => {
                let piece = ready!(events.as_mut().poll_next(context));
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Self::Ended => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(own) => own.body.size_hint(),
            Self::Shared(_, rest) => rest.map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Taped(taped) => taped.flow.size_hint(),
            Self::Heard(heard) => heard.flow.size_hint(),
            Self::Events(_) => SizeHint::default(),
            Self::Ended => SizeHint::with_exact(0),
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        match self {
            Self::Own(own) => own.body.is_end_stream(),
            Self::Shared(_, rest) => *rest == Some(0),
            Self::Taped(taped) => taped.flow.is_at_end(),
            Self::Heard(heard) => heard.flow.is_at_end(),
            Self::Events(_) => false,
            Self::Ended => true,
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
            if let Some(end) = &mut self.end {
                end.complete = true;
                if let Some(span) = end.span.take() {
                    span.failed("cut");
                }
            }
            self.broken = Some(error);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_complete = !matches!(frame, Some(Ok(_))) || self.flow.is_at_end();
        if let Some(end) = self.end.as_mut().filter(|_| is_complete) {
            end.complete = true;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.flow.is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.flow.size_hint()
    }
}
