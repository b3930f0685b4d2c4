//! An answer as the bytes of HTTP/1.1, as hyper writes it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderName;
use httpdate::fmt_http_date;
use hyper::rt::Write;

/// What a head of larder's takes.
const TYPICAL: usize = 384;

/// An answer, and how much of it was sent.
pub(in crate::gate) struct Written {
    head: Vec<u8>,
    body: Bytes,
    sent: usize,
}

impl Written {
    /// A good answer with these fields in its head.
    pub(super) fn ok<F>(fields: F, body: Bytes) -> Self
    where
        F: Iterator<Item = (HeaderName, Cow<'static, str>)>,
    {
        let mut head = Vec::with_capacity(TYPICAL);
        head.extend(b"HTTP/1.1 200 OK");
        for (name, value) in fields {
            field(&mut head, name.as_str(), &value);
        }
        field(&mut head, "content-length", itoa::Buffer::new().format(body.len()));
        DATE.with_borrow_mut(|date| field(&mut head, "date", date.text(SystemTime::now())));
        head.extend(b"\r\n\r\n");
        Self { head, body, sent: 0 }
    }

    /// Sends what was not sent yet.
    pub(in crate::gate) fn poll_send<I: Write + Unpin>(
        &mut self,
        io: &mut I,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.head.len() + self.body.len() {
            let of_body = self.sent.saturating_sub(self.head.len());
            let slices = [
                IoSlice::new(self.head.get(self.sent..).unwrap_or_default()),
                IoSlice::new(self.body.get(of_body..).unwrap_or_default()),
            ];
            let sent = ready!(Pin::new(&mut *io).poll_write_vectored(context, &slices))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        Pin::new(io).poll_flush(context)
    }
}

fn field(head: &mut Vec<u8>, name: &str, value: &str) {
    for part in ["\r\n", name, ": ", value] {
        head.extend(part.as_bytes());
    }
}

thread_local! {
    static DATE: RefCell<Date> = const { RefCell::new(Date { second: 0, text: String::new() }) };
}

/// The time as HTTP has it, printed once a second.
struct Date {
    second: u64,
    text: String,
}

impl Date {
    fn text(&mut self, now: SystemTime) -> &str {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second != second || self.text.is_empty() {
            *self = Self { second, text: fmt_http_date(now) };
        }
        &self.text
    }
}
