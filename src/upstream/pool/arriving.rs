//! A provider's body as it comes from its connection.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::idle::Idle;
use super::plain::Line;

/// A body, and the connection that it comes from where nobody else drives that. Dropped before its end it
/// closes the connection.
pub(in crate::upstream) struct Arriving {
    body: Incoming,
    from: Option<(Box<Line>, Arc<Idle<Line>>)>,
}

impl Arriving {
    /// Of a connection that has a task of its own.
    pub(super) fn by_itself(body: Incoming) -> Self {
        Self { body, from: None }
    }

    /// Of a connection that is driven by whoever reads the body, and is kept when it has ended.
    pub(super) fn driven(body: Incoming, line: Box<Line>, idle: &Arc<Idle<Line>>) -> Self {
        Self { body, from: Some((line, Arc::clone(idle))) }
    }

    fn end(&mut self) {
        if let Some((line, idle)) = self.from.take() {
            idle.put(line);
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let frame = match &mut this.from {
            None => Pin::new(&mut this.body).poll_frame(context),
            Some((line, _)) => line.poll(context, |_| {
                // Its connection is looked at before it is, so it has nobody to wake.
                Pin::new(&mut this.body).poll_frame(&mut Context::from_waker(Waker::noop()))
            }),
        };
        if matches!(frame, Poll::Ready(None)) {
            this.end();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // Whoever knows the length need not read beyond the last piece.
        if self.body.is_end_stream() {
            self.end();
        }
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").field("body", &self.body).finish_non_exhaustive()
    }
}
