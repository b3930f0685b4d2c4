//! What goes to a client past hyper: the pieces of an answer that come one by one.
//!
//! hyper writes the head, and what is there of the body by then. When there is nothing more for now it is
//! done with its part of the work, which is more than the sending of a piece is: so the body is taken from
//! it, and what comes goes to the client as a chunk of HTTP/1.1 (RFC 9112, section 7.1) in one write. For the
//! end, whatever it is, the body is given back.

mod ended;
mod stream;

use std::io::{self, Cursor, IoSlice};
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use http::{Method, Request, Response, StatusCode, Version, header};
use hyper::body::{Body as HttpBody, Frame};
use hyper::rt::{ReadBuf, Write};

pub(super) use ended::Ended;
pub(super) use stream::Stream;

use super::body::{Body, BoxError, Relayed};
use super::pulse::Pulse;

/// What is copied into one piece, so that it is one for the kernel too. Words come by the hundred bytes.
const SMALL: usize = 4 << 10;

/// What a body gives.
pub(super) type Given = Option<Result<Frame<Bytes>, BoxError>>;

/// The way past hyper on one connection. What is looked at for each piece is in one place, since of a thousand
/// streams each piece finds it out of the processor's caches.
pub(super) struct Straight<I>(Mutex<Shared<I>>);

/// What hyper and the way past it both have, one after the other: the connection's task polls both.
#[repr(C)]
struct Shared<I> {
    io: I,
    state: State,
}

/// The body that goes past hyper, if one does.
#[derive(Default)]
enum State {
    /// hyper has its body itself.
    #[default]
    Hypers,
    Past(Going),
    /// hyper is to have this.
    Back(Box<(Relayed, Given)>),
}

/// A body on its way.
#[repr(C)]
struct Going {
    /// What of it the client did not take yet.
    piece: Option<Box<Piece>>,
    body: Relayed,
    hyper: Waker,
}

impl<I> Straight<I> {
    /// Past hyper to a client's stream, and that stream as hyper has it.
    pub(super) fn beside(io: I) -> (Arc<Self>, Stream<I>) {
        let straight = Arc::new(Self(Mutex::new(Shared { io, state: State::Hypers })));
        (Arc::clone(&straight), Stream(straight))
    }

    /// Takes a body from hyper, which is woken when it is to have it back.
    fn take(&self, body: Relayed, hyper: &Waker) {
        self.lock().state = State::Past(Going { piece: None, body, hyper: hyper.clone() });
    }

    /// What hyper gets back.
    fn back(&self) -> Option<(Relayed, Given)> {
        let state = &mut self.lock().state;
        match mem::take(state) {
            State::Back(back) => Some(*back),
            other => {
                *state = other;
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared<I>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Write + Unpin> Straight<I> {
    /// Sends what comes, until hyper has to go on.
    pub(super) fn poll(&self, pulse: &Pulse, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Shared { io, state } = &mut *self.lock();
        let State::Past(going) = state else { return Poll::Pending };
        if !pulse.is_flushed() {
            return Poll::Pending;
        }
        let given = ready!(going.poll((io, pulse), context))?;
        if let State::Past(going) = mem::take(state) {
            let Going { body, hyper, .. } = going;
            *state = State::Back(Box::new((body, given)));
            hyper.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Going {
    /// Sends what is data; gives what is something else.
    fn poll<I: Write + Unpin>(
        &mut self,
        (io, pulse): (&mut I, &Pulse),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Given>> {
        loop {
            if let Some(piece) = &mut self.piece {
                ready!(piece.poll_send((io, pulse), context))?;
                self.piece = None;
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) if frame.is_data() => {
                    let data = frame.into_data().unwrap_or_default();
                    if data.is_empty() {
                        // As a chunk it would be the last.
                        continue;
                    }
                    let mut piece = Piece::new(data);
                    if piece.poll_send((io, pulse), context)?.is_pending() {
                        self.piece = Some(Box::new(piece));
                        return Poll::Pending;
                    }
                }
                other => return Poll::Ready(Ok(other)),
            }
        }
    }
}

/// A chunk: its size, the data, and the end of a line.
struct Piece(Chain<Chain<Cursor<[u8; 18]>, Bytes>, &'static [u8]>);

impl Piece {
    fn new(data: Bytes) -> Self {
        let mut size = *b"0000000000000000\r\n";
        let (mut rest, mut start) = (data.len(), 16);
        for digit in size.iter_mut().take(16).rev() {
            if rest == 0 {
                break;
            }
            *digit = b"0123456789abcdef".get(rest & 15).copied().unwrap_or_default();
            rest >>= 4;
            start -= 1;
        }
        let mut size = Cursor::new(size);
        size.set_position(start);
        Self(size.chain(data).chain(b"\r\n"))
    }

    /// Sends what was not sent yet.
    fn poll_send<I: Write + Unpin>(
        &mut self,
        (io, pulse): (&mut I, &Pulse),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        pulse.moved();
        let poll = self.poll_write(io, context);
        pulse.flows(poll.is_ready());
        poll
    }

    fn poll_write<I: Write + Unpin>(
        &mut self,
        io: &mut I,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.0.has_remaining() {
            let mut slices = [IoSlice::new(&[]); 3];
            let count = self.0.chunks_vectored(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            let sent = if self.0.remaining() > SMALL {
                ready!(Pin::new(&mut *io).poll_write_vectored(context, slices))?
            } else {
                let mut space = [const { MaybeUninit::<u8>::uninit() }; SMALL];
                let mut whole = ReadBuf::uninit(&mut space);
                for slice in slices {
                    whole.unfilled().put_slice(slice);
                }
                ready!(Pin::new(&mut *io).poll_write(context, whole.filled()))?
            };
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.0.advance(sent);
        }
        Pin::new(io).poll_flush(context)
    }
}

/// Whether the answer to a request goes out in chunks, if its body does not say how long it is.
pub(super) fn takes_chunks<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11 && request.method() != Method::HEAD
}

/// Whether hyper writes an answer to such a request in chunks.
pub(super) fn is_in_chunks(response: &Response<Body>) -> bool {
    let (status, headers) = (response.status(), response.headers());
    let has_body = !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    has_body
        && response.body().size_hint().exact().is_none()
        && !headers.contains_key(header::CONTENT_LENGTH)
        && !headers.contains_key(header::TRANSFER_ENCODING)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that takes so much at a time, and not each time.
    struct Slow {
        most: usize,
        is_willing: bool,
        taken: Vec<u8>,
    }

    impl Write for Slow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.is_willing = !self.is_willing;
            if !self.is_willing {
                return Poll::Pending;
            }
            let count = bytes.len().min(self.most);
            self.taken.extend(&bytes[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let whole: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            self.poll_write(context, &whole)
        }

        fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_piece_is_one_chunk_however_much_of_it_is_taken_at_a_time() {
        for length in [1, 9, 10, 15, 16, 200, 4_091, 4_092, 4_097, 70_000] {
            let data: Bytes = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let some = [1, 2, 3, 1_000, usize::MAX];
            for most in some.into_iter().filter(|most| length / most < 5_000) {
                let mut client = Slow { most, is_willing: false, taken: Vec::new() };
                let (mut piece, pulse) = (Piece::new(data.clone()), Pulse::new());
                let mut context = Context::from_waker(Waker::noop());
                while piece.poll_send((&mut client, &pulse), &mut context).is_pending() {}
                let chunk = [format!("{length:x}\r\n").as_bytes(), &data, b"\r\n"].concat();
                assert!(client.taken == chunk, "{length}, {most}");
            }
        }
    }
}
