//! An answer that is recorded while it goes to its client. It is a recording when it has come to its end,
//! also where the client has left by then: many leave at the last event, and not after it.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::body::{BoxError, Flow};
use crate::ceiling::Room;
use crate::headers::{of_no_account, on_hits};
use crate::recording::Told;
use crate::serve::recorded::Taping;

/// How large an answer may be that is recorded.
const LARGEST: usize = 32 << 20;

/// How long the rest of an answer may take to come whose client has left.
const GRACE: Duration = Duration::from_secs(10);

/// A flow, recorded where it is to be.
pub(super) fn around(tape: Option<Tape>, head: (StatusCode, &HeaderMap), flow: Flow) -> Flow {
    match tape {
        Some(tape) => tape.around(head, flow),
        None => flow,
    }
}

/// What has come of an answer.
#[derive(Debug)]
pub(super) struct Tape {
    taping: Arc<Taping>,
    room: Room,
    tasks: TaskTracker,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Tape {
    pub(super) fn new(taping: &Arc<Taping>, room: Room, tasks: TaskTracker) -> Self {
        let (taping, status) = (Arc::clone(taping), StatusCode::OK);
        Self { taping, room, tasks, status, headers: HeaderMap::new(), body: Vec::new() }
    }

    /// Records an answer that is all there.
    pub(super) fn whole(mut self, (status, headers): (StatusCode, &HeaderMap), body: &Bytes) {
        self.head(status, headers);
        if self.take(body) {
            self.done();
        }
    }

    /// The same answer, recorded as it comes.
    fn around(mut self, head: (StatusCode, &HeaderMap), flow: Flow) -> Flow {
        self.head(head.0, head.1);
        let tape = if flow.is_at_end() {
            self.done();
            None
        } else {
            Some(self)
        };
        Flow::Taped(Box::new(Taped { flow, tape }))
    }

    fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = status;
        let kept = on_hits(headers).map(|(name, value)| (name.clone(), value.clone()));
        self.headers = of_no_account(kept.collect());
        for name in [header::CONTENT_ENCODING, header::CONTENT_DISPOSITION] {
            if let Some(value) = headers.get(&name) {
                self.headers.insert(name, value.clone());
            }
        }
    }

    /// The tape after what came of a flow, if there is more to come.
    fn follow(
        mut self,
        frame: Option<&Result<Frame<Bytes>, BoxError>>,
        flow: &Flow,
    ) -> Option<Self> {
        match frame {
            Some(Ok(frame)) if frame.data_ref().is_none_or(|piece| self.take(piece)) => {}
            // Cut short, or too large, it is no answer.
            Some(_) => return None,
            None => {
                self.done();
                return None;
            }
        }
        if flow.is_at_end() {
            self.done();
            return None;
        }
        Some(self)
    }

    /// Whether there was room for more of it.
    fn take(&mut self, piece: &[u8]) -> bool {
        let length = self.body.len() + piece.len();
        let fits = length <= LARGEST && self.room.hold(length).is_ok();
        if fits {
            self.body.extend(piece);
        } else {
            self.taping.went_by("a response larger than 32 MiB or than the memory budget");
        }
        fits
    }

    fn done(self) {
        let Self { taping, status, headers, body, .. } = self;
        taping.told(Told { status, headers, body: body.into() });
    }
}

/// An answer on its way, and the tape that runs along.
#[derive(Debug)]
pub(super) struct Taped {
    pub(super) flow: Flow,
    tape: Option<Tape>,
}

impl Taped {
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.flow.poll(context));
        self.tape = self.tape.take().and_then(|tape| tape.follow(frame.as_ref(), &self.flow));
        Poll::Ready(frame)
    }
}

impl Drop for Taped {
    fn drop(&mut self) {
        let (Some(tape), Ok(runtime)) = (self.tape.take(), Handle::try_current()) else { return };
        let flow = mem::replace(&mut self.flow, Flow::Ended);
        let tasks = tape.tasks.clone();
        let reading = async move {
            if timeout(GRACE, rest(flow, tape)).await.is_err() {
                tracing::debug!("response not recorded: its end did not arrive in time");
            }
        };
        tasks.spawn_on(reading, &runtime);
    }
}

/// Reads an answer on that nobody waits for. Not as one that is taped: it must not begin this again when
/// it is dropped.
async fn rest(mut flow: Flow, tape: Tape) {
    let mut tape = Some(tape);
    while let Some(running) = tape.take() {
        let frame = poll_fn(|context| flow.poll(context)).await;
        tape = running.follow(frame.as_ref(), &flow);
    }
}
