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
    /// A reader of the call that races this one for its head.
    race: Option<Box<Reader>>,
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
        Self { shared, number, race: None }
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

    /// The head of this call, or of a later one if that comes first. A failure counts when all have failed.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, End>> {
        let mut state = self.shared.lock();
        let own = state.head(self.number, context.waker());
        let newer = if own.as_ref().is_some_and(Result::is_ok) { None } else { state.newer() };
        drop(state);
        let Some(newer) = newer else {
            self.race = None;
            return own.map_or(Poll::Pending, Poll::Ready);
        };
        if self.race.is_none() {
            self.race = newer.read_if_open(None).map(Box::new);
        }
        let raced = self.race.as_mut().map(|race| race.poll_head(context));
        match (own, raced) {
            (_, Some(Poll::Ready(Ok(head)))) => {
                if let Some(race) = self.race.take() {
                    *self = *race;
                }
                Poll::Ready(Ok(head))
            }
            (Some(failed), None | Some(Poll::Ready(Err(_)))) => Poll::Ready(failed),
            _ => Poll::Pending,
        }
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
