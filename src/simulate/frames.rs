//! A streamed body: frames with a pause before each but the first.
//!
//! Knows nothing of what the frames say.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{self, Instant, Sleep};

use super::provider::Seat;

/// A body that is sent frame by frame. It keeps its call's seat to the end, since a call is under
/// way for as long as its reply is.
#[derive(Debug)]
pub(super) struct Frames {
    rest: vec::IntoIter<Bytes>,
    gap: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    _seat: Seat,
}

impl Frames {
    /// The body of these frames.
    pub(super) fn new(frames: Vec<Bytes>, gap: Duration, seat: Seat) -> Self {
        Self { rest: frames.into_iter(), gap, pause: None, _seat: seat }
    }

    /// The same body with other frames.
    pub(super) fn map(self, change: impl FnOnce(vec::IntoIter<Bytes>) -> Vec<Bytes>) -> Self {
        Self { rest: change(self.rest).into_iter(), ..self }
    }

    fn begin_pause(&mut self) {
        if self.gap.is_zero() {
            return;
        }
        match &mut self.pause {
            Some(pause) => pause.as_mut().reset(Instant::now() + self.gap),
            None => self.pause = Some(Box::pin(time::sleep(self.gap))),
        }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
        }
        let frame = self.rest.next();
        self.begin_pause();
        Poll::Ready(frame.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_slice().is_empty()
    }
}
