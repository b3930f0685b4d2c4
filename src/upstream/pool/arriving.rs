//! A provider's body as it comes from its connection.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::BoxError;
use super::idle::Idle;
use super::line::Line;

/// A body. Dropped before its end it closes the connection that it comes from.
pub(in crate::upstream) struct Arriving(From);

enum From {
    /// A connection that has a task of its own.
    Task(Incoming),
    /// One that is driven by whoever reads the body, and is kept when it has ended. In place, since each piece
    /// of a stream looks at it.
    Line(Line, Arc<Idle<Line>>),
    /// One that was read to its end.
    Whole(Full<Bytes>),
    Nothing,
}

impl Arriving {
    pub(super) fn by_itself(body: Incoming) -> Self {
        Self(From::Task(body))
    }

    pub(super) fn driven(line: Line, idle: &Arc<Idle<Line>>) -> Self {
        Self(From::Line(line, Arc::clone(idle)))
    }

    pub(in crate::upstream) fn whole(body: Bytes) -> Self {
        Self(From::Whole(Full::new(body)))
    }

    fn end(&mut self) {
        if let From::Line(line, idle) = std::mem::replace(&mut self.0, From::Nothing) {
            idle.put(Box::new(line));
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match &mut self.0 {
            From::Task(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            From::Line(line, _) => line.poll_frame(context).map_err(Into::into),
            From::Whole(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            From::Nothing => Poll::Ready(None),
        };
        if matches!(frame, Poll::Ready(None)) {
            self.end();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            From::Task(body) => body.is_end_stream(),
            From::Line(line, _) => line.is_at_end(),
            From::Whole(body) => body.is_end_stream(),
            From::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            From::Task(body) => body.size_hint(),
            From::Line(line, _) => line.size_hint(),
            From::Whole(body) => body.size_hint(),
            From::Nothing => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // Whoever knows the length need not read beyond the last piece.
        if self.is_end_stream() {
            self.end();
        }
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").finish_non_exhaustive()
    }
}
