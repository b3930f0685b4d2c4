//! The tasks of HTTP/2 responses, one for each stream. A response of which its client takes nothing for
//! `server.write_timeout` is reset: it would hold a call to its provider as long as the client wants.
//!
//! hyper asks a body for its next piece once the client's window has let the last one through. The body
//! notes both moments, and the task watches them.

use std::future::poll_fn;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::rt::Executor;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::task::TaskTracker;

/// Maximum size of a piece of a body. hyper holds one piece for each stream that is stuck; HTTP/2 cuts pieces
/// to the same size (RFC 9113, 6.5.2).
const PIECE: usize = 16 << 10;

tokio::task_local! {
    static PROGRESS: Arc<Progress>;
}

/// The progress of a response, shared by its task and its body.
#[derive(Debug, Default)]
struct Progress {
    /// Since when hyper waits for the client to take a piece.
    stuck: Mutex<Option<Instant>>,
}

impl Progress {
    fn set(&self, stuck: Option<Instant>) {
        *self.stuck.lock().unwrap_or_else(PoisonError::into_inner) = stuck;
    }

    fn stuck(&self) -> Option<Instant> {
        *self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a response over HTTP/2, cut into pieces.
#[derive(Debug)]
pub(super) struct Pieces {
    progress: Arc<Progress>,
    /// The bytes that the body has given and hyper has not taken.
    rest: Bytes,
}

impl Pieces {
    /// Those of the response that the current task writes; none over HTTP/1.
    pub(super) fn of_task() -> Option<Box<Self>> {
        let progress = PROGRESS.try_with(Arc::clone).ok()?;
        Some(Box::new(Self { progress, rest: Bytes::new() }))
    }

    /// The next piece of what the body gave before. hyper asks: the client has taken the last piece.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        self.progress.set(None);
        (!self.rest.is_empty()).then(|| self.cut())
    }

    /// The first piece of more of the body.
    pub(super) fn first(&mut self, bytes: Bytes) -> Bytes {
        if bytes.len() <= PIECE {
            self.progress.set(Some(Instant::now()));
            return bytes;
        }
        self.rest = bytes;
        self.cut()
    }

    /// Bytes that hyper has not taken.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn cut(&mut self) -> Bytes {
        self.progress.set(Some(Instant::now()));
        if self.rest.len() > PIECE {
            return self.rest.split_to(PIECE);
        }
        // The last piece may stay with hyper after the body's end. A copy of it does not hold the whole body.
        Bytes::copy_from_slice(&take(&mut self.rest))
    }
}

/// Starts the tasks.
#[derive(Debug, Clone)]
pub(super) struct StreamExecutor {
    pub(super) write_timeout: Duration,
    pub(super) tasks: TaskTracker,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let progress = Arc::new(Progress::default());
        let task = until_stuck(stream, Arc::clone(&progress), self.write_timeout);
        self.tasks.spawn(PROGRESS.scope(progress, task));
    }
}

/// Runs a stream to its end, or until its client has taken nothing for a time. Dropping it resets it.
async fn until_stuck(stream: impl Future, progress: Arc<Progress>, limit: Duration) {
    let mut stream = pin!(stream);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Some(since) = progress.stuck() else {
            timer = None;
            return Poll::Pending;
        };
        let end = since + limit;
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() != end {
            timer.as_mut().reset(end);
        }
        ready!(timer.as_mut().poll(context));
        tracing::debug!("stream reset: client stopped reading its response (server.write_timeout)");
        Poll::Ready(())
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_large_body_is_cut_into_pieces_of_its_own_bytes() {
        let body: Bytes = (0..70_000).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut pieces = Pieces { progress: Arc::default(), rest: Bytes::new() };
        let mut sent = pieces.first(body.clone()).to_vec();
        while let Some(piece) = pieces.next() {
            assert!(piece.len() <= PIECE && pieces.progress.stuck().is_some());
            sent.extend_from_slice(&piece);
        }
        assert!(sent == body && pieces.left() == 0);
        assert!(pieces.progress.stuck().is_none());
    }
}
