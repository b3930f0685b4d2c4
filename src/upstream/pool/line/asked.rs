//! A request as the bytes of HTTP/1.1, as hyper writes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, header};
use hyper::rt::Write;

use super::Names;

/// What is copied behind its head, so that both are one piece for the kernel.
const SMALL: usize = 16 << 10;

/// A request whose body is all there.
#[derive(Clone)]
pub(in crate::upstream::pool) struct Asked {
    pub(super) method: Method,
    /// With the body, where that is small.
    head: Bytes,
    body: Bytes,
    /// Those of the answers that may come.
    pub(super) names: Arc<Names>,
}

impl Asked {
    pub(in crate::upstream::pool) fn new(
        (method, uri): (&Method, &Uri),
        headers: &HeaderMap,
        mut body: Bytes,
        names: &Arc<Names>,
    ) -> Self {
        let is_small = body.len() <= SMALL;
        let fields: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let room = 128 + path.len() + fields + if is_small { body.len() } else { 0 };
        let mut head = Vec::with_capacity(room);
        // The host goes into its header, and the path stays: RFC 9112, section 3.2.1.
        for part in [method.as_str(), " ", path, " HTTP/1.1"] {
            head.extend(part.as_bytes());
        }
        let host = uri.authority().map_or("", |authority| authority.as_str());
        field(&mut head, "host", host.strip_suffix(":80").unwrap_or(host).as_bytes());
        for (name, value) in headers {
            let is_own = [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
            if !is_own.contains(name) {
                field(&mut head, name.as_str(), value.as_bytes());
            }
        }
        if !body.is_empty() || [Method::POST, Method::PUT, Method::PATCH].contains(method) {
            let length = itoa::Buffer::new().format(body.len()).to_owned();
            field(&mut head, "content-length", length.as_bytes());
        }
        head.extend(b"\r\n\r\n");
        if is_small {
            head.extend(&body);
            body = Bytes::new();
        }
        Self { method: method.clone(), head: head.into(), body, names: Arc::clone(names) }
    }

    pub(super) fn is_sent(&self, sent: usize) -> bool {
        sent == self.head.len() + self.body.len()
    }

    /// Sends what was not sent yet.
    pub(super) fn poll_send<I: Write + Unpin>(
        &self,
        (io, sent): (&mut I, &mut usize),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_sent(*sent) {
            let head = self.head.get(*sent..).unwrap_or_default();
            let count = if self.body.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(context, head))?
            } else {
                let of_body = sent.saturating_sub(self.head.len());
                let body = self.body.get(of_body..).unwrap_or_default();
                let slices = [IoSlice::new(head), IoSlice::new(body)];
                ready!(Pin::new(&mut *io).poll_write_vectored(context, &slices))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *sent += count;
        }
        Pin::new(io).poll_flush(context)
    }
}

fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [b"\r\n", name.as_bytes(), b": ", value] {
        head.extend(part);
    }
}
