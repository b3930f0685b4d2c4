//! A client's stream, as hyper reads and writes it: what comes is looked at before hyper has it, and the
//! connection's pulse is told of what moves.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use super::pulse::Pulse;
use super::strict::Strict;

/// How much is read at a time. On the stack, so that neither an idle connection nor a hit pays for it.
const AT_A_TIME: usize = 16 << 10;

/// The stream.
pub(super) struct Watched<I> {
    io: I,
    pulse: Arc<Pulse>,
    strict: Strict,
}

impl<I> Watched<I> {
    /// For what hyper's `buffer` takes of a head.
    pub(super) fn new(io: I, pulse: &Arc<Pulse>, buffer: usize) -> Self {
        Self { io, pulse: Arc::clone(pulse), strict: Strict::new(buffer) }
    }
}

impl<I: Read + Unpin> Watched<I> {
    /// Reads what HTTP/1 allows. hyper's own room cannot be looked at once it is filled, so what comes
    /// is read into another, and copied.
    fn read(
        &mut self,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = [const { MaybeUninit::<u8>::uninit() }; AT_A_TIME];
        let most = buffer.remaining().min(AT_A_TIME);
        let mut came = ReadBuf::uninit(space.get_mut(..most).unwrap_or_default());
        ready!(Pin::new(&mut self.io).poll_read(context, came.unfilled()))?;
        let passed = self.strict.look(came.filled());
        buffer.put_slice(came.filled().get(..passed.bytes).unwrap_or_default());
        if let Some(wrong) = passed.wrong {
            tracing::debug!(wrong, "a request is refused");
            // With nothing to give this would be the stream's end; else the next read says the rest.
            if passed.bytes == 0 {
                return Poll::Ready(self.instead(&mut buffer).unwrap_or(Ok(())));
            }
        }
        Poll::Ready(Ok(()))
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
}

impl<I: Read + Unpin> Read for Watched<I> {
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
        let poll = if self.strict.is_beyond() {
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

impl<I: Write + Unpin> Watched<I> {
    fn wrote<T>(&self, poll: Poll<T>) -> Poll<T> {
        self.pulse.flows(poll.is_ready());
        poll
    }
}

impl<I: Write + Unpin> Write for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pulse.moved();
        let poll = Pin::new(&mut self.io).poll_write(context, bytes);
        self.wrote(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pulse.moved();
        let poll = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_flush(context);
        self.wrote(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
