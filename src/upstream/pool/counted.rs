//! A connection that is counted while it is open, and may wait for its first request.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::idle::Reusable;
use super::resend::Unasked;
use crate::metrics::{Held, UpstreamMetrics};

type Stream = MaybeHttpsStream<Tcp>;

/// How much a provider may say before it was asked anything. Over HTTP/2 it begins with its settings.
const MOST: usize = 16 << 10;

type Tcp = TokioIo<TcpStream>;

/// A stream without TLS.
pub(super) type InClear = Counted<Tcp>;

/// A stream to a provider; its end, whatever brings it, is the end of its being counted.
pub(super) struct Counted<S = Stream> {
    stream: S,
    /// Whether it carries many requests at once, over HTTP/2.
    is_shared: bool,
    /// Whether anything was read since the last write: a request that is written now is not the first, and
    /// what can be read before it is no response to it.
    is_read: bool,
    /// What came before anybody read. Boxed, since nearly nothing does.
    ahead: Option<Box<BytesMut>>,
    open: Held,
    among: TaskTrackerToken,
}

impl Counted {
    /// Counted in the metrics, and among those of its connector.
    pub(super) fn new(stream: Stream, metrics: &UpstreamMetrics, among: TaskTrackerToken) -> Self {
        metrics.opened.inc();
        let is_shared = stream.connected().is_negotiated_h2();
        let open = Held::one(&metrics.open);
        Self { stream, is_shared, is_read: false, ahead: None, open, among }
    }

    /// The same, which is much smaller where it is known to be without TLS.
    pub(super) fn in_clear(self) -> Option<InClear> {
        let Self { stream, is_shared, is_read, ahead, open, among } = self;
        match stream {
            MaybeHttpsStream::Http(stream) => {
                Some(Counted { stream, is_shared, is_read, ahead, open, among })
            }
            MaybeHttpsStream::Https(_) => None,
        }
    }
}

impl<S> Counted<S> {
    /// Whether many calls may be under way on it at once.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }
}

impl<S: Read + Unpin> Counted<S> {
    /// Refuses to send a request over HTTP/1.1 behind bytes that came unasked, which would be taken for its
    /// response. The task that writes reads, too, so that its waker may be registered for reading.
    fn look_before(&mut self, bytes: &[u8], context: &mut Context<'_>) -> io::Result<()> {
        if self.is_shared || !std::mem::take(&mut self.is_read) || !begins_request(bytes) {
            return Ok(());
        }
        let mut byte = [0; 1];
        match Pin::new(&mut self.stream).poll_read(context, ReadBuf::new(&mut byte).unfilled()) {
            Poll::Pending => Ok(()),
            Poll::Ready(_) => Err(io::Error::other(Unasked)),
        }
    }
}

/// Whether bytes begin with a method and a path, as a request does and the rest of a body hardly ever.
fn begins_request(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(16)).unwrap_or_default();
    let method = start.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    method > 0 && start.get(method..).is_some_and(|rest| rest.starts_with(b" /"))
}

impl<S: Connection + Read + Send + Unpin + 'static> Reusable for Counted<S> {
    /// Whether it is still open. Who speaks HTTP/1.1 and says something unasked is about to close it.
    fn is_free(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let mut piece = [0; 1024];
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(&mut context, piece.unfilled()) {
                Poll::Pending => {
                    // The request that follows need not look again.
                    self.is_read = false;
                    return true;
                }
                Poll::Ready(Err(_)) => return false,
                Poll::Ready(Ok(())) if piece.filled().is_empty() || !self.is_shared() => {
                    return false;
                }
                Poll::Ready(Ok(())) => {
                    let ahead = self.ahead.get_or_insert_default();
                    ahead.extend_from_slice(piece.filled());
                    if ahead.len() > MOST {
                        return false;
                    }
                }
            }
        }
    }
}

impl<S> fmt::Debug for Counted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

impl Connection for Counted {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<S: Read + Unpin> Read for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(ahead) = &mut self.ahead {
            let count = ahead.len().min(buffer.remaining());
            buffer.put_slice(&ahead.split_to(count));
            self.ahead.take_if(|ahead| ahead.is_empty());
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.is_read |= read.is_ready();
        read
    }
}

impl<S: Read + Write + Unpin> Write for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.look_before(bytes, context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.look_before(slices.first().map_or(&[], |slice| &**slice), context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
