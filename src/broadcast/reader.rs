//! One reader of an answer.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::state::{Next, Shared};
use super::{End, Head};
use crate::error::{Error, Kind};

/// Reads an answer from its first byte, at its own pace. Dropping it is leaving.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    number: u64,
}

/// The answer cannot be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The provider broke off.
    Cut,
    /// The reader is too far behind.
    Behind,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "the provider closed the connection before the end of its response",
            Self::Behind => "the client reads too slowly",
        })
    }
}

impl std::error::Error for Broken {}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, number: u64) -> Self {
        Self { shared, number }
    }

    /// Waits for the head.
    pub async fn head(&mut self) -> Result<Head, Error> {
        poll_fn(|context| self.poll_head(context)).await.map_err(|end| match end {
            End::Failed(error) => error,
            End::Cut | End::Complete => {
                Error::new(Kind::UpstreamInvalid, "the call ended without a response")
            }
        })
    }

    /// The head of this call, or of one that races it, whichever comes first.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, End>> {
        let mut state = self.shared.lock();
        let own = state.head(self.number, context.waker());
        let won = state.won(self.number);
        drop(state);
        match (own, won) {
            (Some(Ok(head)), _) => Poll::Ready(Ok(head)),
            (_, Some(won)) => {
                *self = won;
                let head = self.shared.lock().head(self.number, context.waker());
                head.map_or(Poll::Pending, Poll::Ready)
            }
            (own, None) => own.map_or(Poll::Pending, Poll::Ready),
        }
    }

    /// Waits until the source has come to its end, or holds no more of it.
    pub async fn ended(&self) {
        poll_fn(|context| self.shared.lock().poll_ended(self.number, context.waker())).await;
    }

    /// The next piece of the body, as it came; `None` after the last.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self.shared.next(self.number, context.waker()) {
            Next::Chunk(bytes) => Poll::Ready(Some(Ok(bytes))),
            Next::Nothing => Poll::Pending,
            Next::Lost => Poll::Ready(Some(Err(Broken::Behind))),
            Next::End(End::Complete) => Poll::Ready(None),
            Next::End(End::Cut | End::Failed(_)) => Poll::Ready(Some(Err(Broken::Cut))),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.leave(self.number);
    }
}
