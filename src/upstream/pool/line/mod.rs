//! One connection over HTTP/1.1, without a task of its own: whoever makes a call drives it, and reads the
//! answer from it piece by piece.
//!
//! The refused alternative is hyper's client, which gives a body by way of a channel and holds a buffer for
//! each connection: for each piece of a stream that is twice the work, and 8 KiB for each stream. What is
//! taken for an answer here is what hyper takes for one, which a test compares.

mod asked;
mod chunks;
mod framing;
mod head;
mod names;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::{Frame, SizeHint};
use hyper::rt::{Read, ReadBuf, Write};

pub(super) use asked::Asked;
use chunks::Found;
use framing::Framing;
use head::Head;
pub(super) use names::Names;

use super::counted::InClear;
use super::idle::Reusable;

/// How much is read at a time. On the stack, so that no connection that waits pays for it.
const AT_A_TIME: usize = 16 << 10;

/// A connection. Small, since of a thousand streams each piece finds it out of the processor's caches.
pub(super) struct Line<I = InClear> {
    io: I,
    framing: Framing,
    rare: Option<Box<Rare>>,
    /// Whether it can carry another request after this one.
    is_kept: bool,
}

/// What a connection seldom has.
#[derive(Default)]
struct Rare {
    /// What came and was not taken yet.
    ahead: Vec<u8>,
    trailers: Option<HeaderMap>,
    /// What is wrong behind the data that was given.
    broken: Option<io::Error>,
    /// What of a request was not sent when its answer began, and how much of it was.
    unsent: Option<(Asked, usize)>,
}

/// A call that brought no answer.
pub(super) struct Failed {
    pub(super) error: io::Error,
    /// Whether nothing of the request was sent.
    pub(super) is_unsent: bool,
}

impl<I: Read + Write + Unpin> Line<I> {
    /// An open connection, which nothing was sent on yet.
    pub(super) fn new(io: I) -> Self {
        Self { io, framing: Framing::Done, rare: None, is_kept: true }
    }

    /// Sends a request, and reads the head of its answer.
    pub(super) async fn exchange(&mut self, asked: &Asked) -> Result<Response<()>, Failed> {
        let (mut sent, mut broken) = (0, None);
        let head = poll_fn(|context| {
            if broken.is_none()
                && let Poll::Ready(Err(error)) = asked.poll_send((&mut self.io, &mut sent), context)
            {
                if sent == 0 {
                    return Poll::Ready(Err(error));
                }
                // Who does not take all of a request may have said why.
                broken = Some(error);
            }
            self.poll_head(asked, context).map_err(|error| broken.take().unwrap_or(error))
        });
        let head = head.await;
        let Head { response, framing, is_kept } =
            head.map_err(|error| Failed { error, is_unsent: sent == 0 })?;
        (self.framing, self.is_kept) = (framing, is_kept && broken.is_none());
        if broken.is_none() && !asked.is_sent(sent) {
            self.rare().unsent = Some((asked.clone(), sent));
        }
        Ok(response)
    }

    fn poll_head(&mut self, asked: &Asked, context: &mut Context<'_>) -> Poll<io::Result<Head>> {
        loop {
            let mut space = [const { MaybeUninit::<u8>::uninit() }; AT_A_TIME];
            let mut came = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.io).poll_read(context, came.unfilled()))?;
            if came.filled().is_empty() {
                return Poll::Ready(Err(cut("before its answer")));
            }
            if let Some(head) = self.take_head(came.filled(), asked)? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// The head, if it is there with these bytes. Most come in one piece.
    fn take_head(&mut self, came: &[u8], asked: &Asked) -> io::Result<Option<Head>> {
        let mut rest = came;
        let Some(rare) = &mut self.rare else {
            let head = take_head(&mut rest, 0, asked)?;
            if !rest.is_empty() {
                self.rare().ahead = rest.to_vec();
            }
            return Ok(head);
        };
        let seen = rare.ahead.len();
        rare.ahead.extend_from_slice(came);
        rest = &rare.ahead;
        let head = take_head(&mut rest, seen, asked)?;
        let read = rare.ahead.len() - rest.len();
        rare.ahead.drain(..read);
        Ok(head)
    }

    /// What comes next of the answer's body. After an error there is nothing.
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let data = ready!(self.poll_data(context));
        if data.is_err() {
            (self.framing, self.is_kept) = (Framing::Done, false);
        }
        let trailers = || self.rare.as_mut()?.trailers.take().map(Frame::trailers);
        Poll::Ready(data.map(|data| data.map(Frame::data).or_else(trailers)).transpose())
    }

    /// More data, if there is any.
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.rare.is_some()
            && let Some(data) = self.rest(context)?
        {
            return Poll::Ready(Ok(Some(data)));
        }
        while !matches!(self.framing, Framing::Done) {
            let mut space = [const { MaybeUninit::<u8>::uninit() }; AT_A_TIME];
            let mut came = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.io).poll_read(context, came.unfilled()))?;
            if came.filled().is_empty() {
                self.end()?;
            }
            let data = self.take(came.filled())?;
            if data.is_some() {
                return Poll::Ready(Ok(data));
            }
        }
        Poll::Ready(Ok(None))
    }

    /// Data that came already. Sends on what the answer came before.
    fn rest(&mut self, context: &mut Context<'_>) -> io::Result<Option<Bytes>> {
        let Some(rare) = &mut self.rare else { return Ok(None) };
        if let Some((asked, sent)) = &mut rare.unsent
            && let Poll::Ready(result) = asked.poll_send((&mut self.io, sent), context)
        {
            rare.unsent = None;
            self.is_kept &= result.is_ok();
        }
        if let Some(error) = rare.broken.take() {
            return Err(error);
        }
        let ahead = mem::take(&mut rare.ahead);
        self.rare.take_if(|rare| rare.unsent.is_none() && rare.trailers.is_none());
        if self.framing.is_all_data(ahead.len()) && !ahead.is_empty() {
            return Ok(Some(ahead.into()));
        }
        self.take(&ahead)
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The connection has ended.
    fn end(&mut self) -> io::Result<()> {
        match mem::replace(&mut self.framing, Framing::Done) {
            Framing::Close | Framing::Done => Ok(()),
            Framing::Length(_) | Framing::Chunks(_) => Err(cut("within its answer")),
        }
    }

    /// What of the body is in these bytes. What is wrong behind it is for the next time.
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<Option<Bytes>> {
        let (mut first, mut all) = (&[][..], Vec::new());
        while !bytes.is_empty() {
            match self.framing.next(&mut bytes) {
                Ok(Some(Found::Data(data))) if first.is_empty() => first = data,
                Ok(Some(Found::Data(data))) => {
                    if all.is_empty() {
                        all.extend_from_slice(first);
                    }
                    all.extend_from_slice(data);
                }
                Ok(Some(Found::End(trailers))) => {
                    if trailers.is_some() {
                        self.rare().trailers = trailers;
                    }
                    // What comes after the end was not asked for.
                    self.is_kept &= bytes.is_empty();
                    break;
                }
                Ok(None) => break,
                Err(error) if first.is_empty() => return Err(error),
                Err(error) => {
                    self.rare().broken = Some(error);
                    break;
                }
            }
        }
        Ok(match (first, all.is_empty()) {
            ([], _) => None,
            (first, true) => Some(Bytes::copy_from_slice(first)),
            (_, false) => Some(all.into()),
        })
    }

    /// Whether the body has come to its end.
    pub(super) fn is_at_end(&self) -> bool {
        let is_given = |rare: &Rare| rare.trailers.is_none();
        matches!(self.framing, Framing::Done) && self.rare.as_deref().is_none_or(is_given)
    }

    /// Whether nothing is under way, and the connection can carry another request.
    fn is_done(&self) -> bool {
        let is_quiet = |rare: &Rare| rare.unsent.is_none() && rare.ahead.is_empty();
        self.is_kept && self.is_at_end() && self.rare.as_deref().is_none_or(is_quiet)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Done => SizeHint::with_exact(0),
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunks(_) | Framing::Close => SizeHint::default(),
        }
    }
}

impl Reusable for Line {
    /// Whether it is open, and done with the request before.
    fn is_free(&mut self) -> bool {
        self.is_done() && self.io.is_free()
    }
}

/// The first head in these bytes that is an answer's own, if it is there; the bytes are shortened by what was
/// read.
fn take_head(bytes: &mut &[u8], mut seen: usize, asked: &Asked) -> io::Result<Option<Head>> {
    loop {
        // Empty lines may come before a head.
        while let [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] = bytes {
            (*bytes, seen) = (rest, 0);
        }
        let Some(end) = head::end(bytes, seen)? else { return Ok(None) };
        let (head, rest) = bytes.split_at(end);
        (*bytes, seen) = (rest, 0);
        if let Some(head) = head::read(head, asked)? {
            return Ok(Some(head));
        }
    }
}

/// What a provider says that is not HTTP/1.
fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn cut(when: &str) -> io::Error {
    let what = format!("the connection was closed {when}");
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}
