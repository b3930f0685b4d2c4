//! The body of an answer as hyper has it: its pulse is told when hyper is done with it, and it goes past
//! hyper where it can.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Either;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::Straight;
use crate::gate::body::Body;
use crate::gate::pulse::Pulse;
use crate::gate::stream_task::Pieces;

/// The body.
pub(in crate::gate) struct Ended<I> {
    /// Unless it goes past hyper.
    body: Option<Body>,
    pulse: Arc<Pulse>,
    straight: Option<Arc<Straight<I>>>,
    /// Over HTTP/2 the body goes out in pieces, whose progress is watched.
    pieces: Option<Box<Pieces>>,
}

impl<I> Ended<I> {
    /// With the way past hyper, where the body can go it.
    pub(in crate::gate) fn new(
        body: Body,
        pulse: Arc<Pulse>,
        straight: Option<Arc<Straight<I>>>,
    ) -> Self {
        Self { body: Some(body), pulse, straight, pieces: Pieces::of_task() }
    }
}

impl<I> Drop for Ended<I> {
    fn drop(&mut self) {
        self.pulse.end();
    }
}

impl<I> HttpBody for Ended<I> {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Some(piece) = this.pieces.as_mut().and_then(|pieces| pieces.next()) {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let Some(body) = &mut this.body else {
            let back = this.straight.as_ref().and_then(|straight| straight.back());
            let Some((body, given)) = back else { return Poll::Pending };
            this.body = Some(Either::Right(body));
            return Poll::Ready(given);
        };
        let frame = Pin::new(body).poll_frame(context);
        if frame.is_pending()
            && let Some(straight) = &this.straight
            && let Some(Either::Right(body)) =
                this.body.take_if(|body| matches!(body, Either::Right(_)))
        {
            straight.take(body, context.waker());
        }
        match (&mut this.pieces, frame) {
            (Some(pieces), Poll::Ready(Some(Ok(frame)))) => {
                let first = |bytes| Frame::data(pieces.first(bytes));
                Poll::Ready(Some(Ok(frame.into_data().map_or_else(|other| other, first))))
            }
            (_, frame) => frame,
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_taken = self.pieces.as_ref().is_none_or(|pieces| pieces.left() == 0);
        is_taken && self.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // hyper asks for it before it takes the first piece.
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}
