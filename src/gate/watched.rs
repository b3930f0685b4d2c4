//! A client's stream, as hyper reads and writes it: what comes is looked at before hyper has it, answered
//! past hyper where that is possible, and the connection's pulse is told of what moves.

use std::io;
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::{Sleep, sleep};

use super::express::{Express, Request, Written};
use super::pulse::Pulse;
use super::strict::{Strict, TLS, Wrong};
use crate::ceiling::Room;
use crate::throttle::Throttle;

/// How much is read at a time. On the stack, so that neither an idle connection nor a hit pays for it.
const AT_A_TIME: usize = 16 << 10;

/// Time for which a client may go on sending after its response: more than a slow network needs to show it.
const LINGER: Duration = Duration::from_secs(5);

/// The stream.
pub(super) struct Watched<I> {
    io: I,
    pulse: Arc<Pulse>,
    strict: Strict,
    express: Option<Box<Express>>,
    /// An answer that is being sent past hyper.
    answer: Option<Box<Written>>,
    /// What came and hyper does not have.
    held: Vec<u8>,
    waiting: Option<Waiting>,
    /// The end of the time for which a closed connection is still read.
    lingering: Option<Pin<Box<Sleep>>>,
}

/// What is held is a part of a request that may be answered past hyper.
struct Waiting {
    _room: Room,
    /// Whether more of it was looked for in vain: whoever looks again was woken for another reason.
    in_vain: bool,
}

impl<I> Watched<I> {
    /// For what hyper's `buffer` takes of a head.
    pub(super) fn new(
        (io, express): (I, Option<Box<Express>>),
        pulse: &Arc<Pulse>,
        buffer: usize,
    ) -> Self {
        let (pulse, strict) = (Arc::clone(pulse), Strict::new(buffer));
        let (answer, held, waiting, lingering) = (None, Vec::new(), None, None);
        Self { io, pulse, strict, express, answer, held, waiting, lingering }
    }

    /// Whether hyper has nothing to do: what it got has come to its end, and so has every answer to it, to
    /// the last byte. Then the next request may be answered without it.
    fn is_quiet(&self) -> bool {
        self.pulse.is_flushed()
            && !self.pulse.is_draining()
            && self.strict.between() == Some(self.pulse.ended())
    }

    /// Whether a request of HTTP/1 has begun, and its end has not come.
    fn is_within_request(&self) -> bool {
        !self.strict.is_beyond() && self.strict.between().is_none()
    }

    /// Gives hyper what there is room for, as far as HTTP/1 allows, and holds the rest.
    fn give(&mut self, bytes: &[u8], buffer: &mut ReadBufCursor<'_>) -> io::Result<()> {
        let (now, later) = bytes.split_at(bytes.len().min(buffer.remaining()));
        self.held.extend_from_slice(later);
        let passed = self.strict.look(now);
        buffer.put_slice(now.get(..passed.bytes).unwrap_or_default());
        if let Some(wrong) = passed.wrong {
            tell(wrong);
            // With nothing to give this would be the stream's end; else the next read says the rest.
            if passed.bytes == 0 {
                return self.instead(buffer).unwrap_or(Ok(()));
            }
        }
        Ok(())
    }

    /// What hyper gets after something was refused.
    fn instead(&mut self, buffer: &mut ReadBufCursor<'_>) -> Option<io::Result<()>> {
        let instead = self.strict.instead(buffer.remaining())?;
        Some(match instead {
            Ok(bytes) => {
                buffer.put_slice(bytes);
                Ok(())
            }
            Err(wrong) => Err(io::Error::new(io::ErrorKind::InvalidData, wrong)),
        })
    }

    /// Takes what came while hyper has nothing to do, if it is, or may become, a request that can be
    /// answered past it.
    fn take(&mut self, came: &[u8]) -> bool {
        let Some(express) = &mut self.express else { return false };
        let is_part = self.waiting.is_some();
        if is_part {
            self.held.extend_from_slice(came);
        }
        let request = express.take(if is_part { &self.held } else { came });
        self.go_on();
        match request {
            Request::Answered(answer) => {
                self.answer = Some(Box::new(answer));
                self.held.clear();
                self.pulse.answered_again();
                true
            }
            Request::Coming(room) => {
                if !is_part {
                    self.held.extend_from_slice(came);
                }
                self.waiting = Some(Waiting { _room: room, in_vain: false });
                self.pulse.waits(true);
                self.pulse.bytes_came();
                true
            }
            // What is held goes to hyper with the next look.
            Request::Other => is_part,
        }
    }

    /// Waits no longer for the rest of what is held.
    fn go_on(&mut self) {
        if self.waiting.take().is_some() {
            self.pulse.waits(false);
        }
    }

    fn wrote<T>(&self, poll: Poll<T>) -> Poll<T> {
        self.pulse.flows(poll.is_ready());
        poll
    }
}

/// Logs the reason of a refusal. Any scanner sends nonsense, but TLS is an application with a wrong base URL.
fn tell(wrong: Wrong) {
    static TOLD: Mutex<Throttle> = Mutex::new(Throttle::new());
    if wrong != TLS {
        tracing::debug!(reason = wrong, "malformed request rejected");
    } else if let Some(suppressed) = Throttle::shared(&TOLD) {
        tracing::warn!(
            suppressed,
            "a client speaks TLS to a listener without it: write http:// in its base URL, or set \
             server.tls_cert and server.tls_key"
        );
    }
}

impl<I: Read + Write + Unpin> Watched<I> {
    /// Reads what HTTP/1 allows. hyper's own room cannot be looked at once it is filled, so what comes
    /// is read into another, and copied.
    fn read(
        &mut self,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.send(context))?;
            if self.waiting.is_none() && !self.held.is_empty() {
                let held = mem::take(&mut self.held);
                return Poll::Ready(self.give(&held, &mut buffer));
            }
            let is_quiet = self.express.is_some() && self.is_quiet();
            let mut space = [const { MaybeUninit::<u8>::uninit() }; AT_A_TIME];
            let most = if is_quiet { AT_A_TIME } else { buffer.remaining().min(AT_A_TIME) };
            let mut came = ReadBuf::uninit(space.get_mut(..most).unwrap_or_default());
            let poll = Pin::new(&mut self.io).poll_read(context, came.unfilled())?;
            let came = came.filled();
            match &mut self.waiting {
                Some(waiting) if poll.is_pending() && !waiting.in_vain => waiting.in_vain = true,
                Some(_) if poll.is_pending() || came.is_empty() || !is_quiet => {
                    self.held.extend_from_slice(came);
                    self.go_on();
                    continue;
                }
                _ => {}
            }
            ready!(poll);
            if !(is_quiet && !came.is_empty() && self.take(came)) {
                return Poll::Ready(self.give(came, &mut buffer));
            }
        }
    }

    /// Reads on after the last response, and forgets what comes, until the client is done or the time is
    /// over (RFC 9112, section 9.6). A socket that is closed with bytes unread resets the connection, and a
    /// client that still sends its body would lose the early response: 401, 413.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(time) = &mut self.lingering {
            if time.as_mut().poll(context).is_ready() {
                break;
            }
            let mut space = [const { MaybeUninit::<u8>::uninit() }; AT_A_TIME];
            let mut came = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut self.io).poll_read(context, came.unfilled()));
            if read.is_err() || came.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends an answer that goes past hyper.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(answer) = &mut self.answer {
            let poll = answer.poll_send(&mut self.io, context);
            ready!(self.wrote(poll))?;
            self.answer = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: Read + Write + Unpin> Read for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pulse.is_switched() && !self.strict.is_beyond() {
            self.strict.step_aside();
        }
        if let Some(refused) = self.instead(&mut buffer) {
            return Poll::Ready(refused);
        }
        let poll = if self.strict.is_beyond() && self.held.is_empty() {
            Pin::new(&mut self.io).poll_read(context, buffer)
        } else {
            self.read(context, buffer)
        };
        if matches!(poll, Poll::Ready(Ok(()))) {
            self.pulse.bytes_came();
        }
        poll
    }
}

impl<I: Read + Write + Unpin> Write for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.send(context))?;
        self.pulse.writes();
        let poll = Pin::new(&mut self.io).poll_write(context, bytes);
        self.wrote(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.send(context))?;
        self.pulse.writes();
        let poll = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send(context))?;
        let poll = Pin::new(&mut self.io).poll_flush(context);
        // It flushes when it has written all that it had.
        if matches!(poll, Poll::Ready(Ok(()))) {
            self.pulse.flushed();
        }
        self.wrote(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send(context))?;
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
            if !self.is_within_request() {
                return Poll::Ready(Ok(()));
            }
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        self.linger(context)
    }
}
