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

/// The body.
pub(in crate::gate) struct Ended<I> {
    /// Unless it goes past hyper.
    body: Option<Body>,
    pulse: Arc<Pulse>,
    straight: Option<Arc<Straight<I>>>,
}

impl<I> Ended<I> {
    /// With the way past hyper, where the body can go it.
    pub(in crate::gate) fn new(
        body: Body,
        pulse: Arc<Pulse>,
        straight: Option<Arc<Straight<I>>>,
    ) -> Self {
        Self { body: Some(body), pulse, straight }
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
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}
