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
    /// What came before anybody read. Boxed, since nearly nothing does.
    ahead: Option<Box<BytesMut>>,
    open: Held,
    among: TaskTrackerToken,
}

impl Counted {
    /// Counted in the metrics, and among those of its connector.
    pub(super) fn new(stream: Stream, metrics: &UpstreamMetrics, among: TaskTrackerToken) -> Self {
        metrics.opened.inc();
        Self { stream, ahead: None, open: Held::one(&metrics.open), among }
    }

    /// The same, which is much smaller where it is known to be without TLS.
    pub(super) fn in_clear(self) -> Option<InClear> {
        let Self { stream, ahead, open, among } = self;
        match stream {
            MaybeHttpsStream::Http(stream) => Some(Counted { stream, ahead, open, among }),
            MaybeHttpsStream::Https(_) => None,
        }
    }
}

impl<S: Connection> Counted<S> {
    /// Whether many calls may be under way on it at once.
    pub(super) fn is_shared(&self) -> bool {
        self.stream.connected().is_negotiated_h2()
    }
}

impl<S: Connection + Read + Send + Unpin + 'static> Reusable for Counted<S> {
    /// Whether it is still open. Who speaks HTTP/1.1 and says something unasked is about to close it.
    fn is_free(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let mut piece = [0; 1024];
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(&mut context, piece.unfilled()) {
                Poll::Pending => return true,
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
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
