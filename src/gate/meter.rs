//! Books a relayed response to its account: the usage is read while the bytes pass.
//!
//! A compressed response is copied, and decoded after its end, aside. The client does not wait for it, unless
//! the request is traced and the response is short.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, header};
use tokio::runtime::Handle;

use crate::codec;
use crate::ledger::Account;
use crate::trace::Span;
use crate::usage::{Layout, Reported, UsageReader};

/// The most bytes of a compressed response that are copied. The usage of a longer one is not read.
const MAX_COMPRESSED: usize = 1 << 20;

/// The most bytes that a copy may decode to.
const MAX_DECODED: u64 = 64 << 20;

/// The longest copy that is decoded before the end of a traced request: its span has the usage then.
const MAX_AT_ONCE: usize = 64 << 10;

/// Reads what a response used, and books it at its end.
#[derive(Debug)]
pub(super) struct Meter(Box<Booking>);

#[derive(Debug)]
struct Booking {
    account: Arc<Account>,
    since: Instant,
    /// The span of the request, where it is traced.
    span: Option<Arc<Span>>,
    layout: Layout,
    reading: Reading,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a booking is boxed, and nearly all are plain")]
enum Reading {
    Plain(UsageReader),
    /// The copy of a compressed response, and its coding.
    Compressed(String, Vec<u8>),
    /// It is too long, or in several codings.
    GivenUp,
}

impl Meter {
    pub(super) fn new(
        account: Arc<Account>,
        headers: &HeaderMap,
        since: Instant,
        span: Option<Arc<Span>>,
    ) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let layout = Layout::of(text(header::CONTENT_TYPE).unwrap_or_default());
        let reading = match text(header::CONTENT_ENCODING) {
            None if headers.contains_key(header::CONTENT_ENCODING) => Reading::GivenUp,
            None => Reading::Plain(UsageReader::new(layout)),
            Some(coding) => Reading::Compressed(coding.to_owned(), Vec::new()),
        };
        Self(Box::new(Booking { account, since, span, layout, reading }))
    }

    /// Reads the next piece of the response.
    pub(super) fn take(&mut self, piece: &[u8]) {
        match &mut self.0.reading {
            Reading::Plain(reader) => reader.take(piece),
            Reading::Compressed(_, copy) if copy.len() + piece.len() <= MAX_COMPRESSED => {
                copy.extend_from_slice(piece);
            }
            reading => *reading = Reading::GivenUp,
        }
    }

    /// Books a response that is complete, and says on the spans of the request and the call what it used.
    pub(super) fn end(self, call: Option<&Span>) {
        let Booking { account, since, span, layout, reading } = *self.0;
        let took = since.elapsed();
        match reading {
            Reading::Plain(reader) => {
                let reported = reader.reported();
                for span in span.as_deref().into_iter().chain(call) {
                    super::traced::used(span, &reported);
                }
                account.called(&reported, took);
            }
            Reading::GivenUp => account.called(&Reported::default(), took),
            Reading::Compressed(coding, copy)
                if copy.len() <= MAX_AT_ONCE && (span.is_some() || call.is_some()) =>
            {
                let reported = decoded(&coding, &copy, layout);
                for span in span.as_deref().into_iter().chain(call) {
                    super::traced::used(span, &reported);
                }
                account.called(&reported, took);
            }
            Reading::Compressed(coding, copy) => {
                let book = move || account.called(&decoded(&coding, &copy, layout), took);
                match Handle::try_current() {
                    Ok(runtime) => drop(runtime.spawn_blocking(book)),
                    Err(_) => book(),
                }
            }
        }
    }

    /// Books a response that was broken off: the provider bills what it reported so far, at least.
    pub(super) fn cut(self) {
        let reported = match &self.0.reading {
            Reading::Plain(reader) => reader.reported(),
            Reading::Compressed(..) | Reading::GivenUp => Reported::default(),
        };
        self.0.account.cut(&reported);
    }
}

/// The usage in the copy of a compressed response. Of a damaged one the usage before the damage counts.
fn decoded(coding: &str, copy: &[u8], layout: Layout) -> Reported {
    let mut reader = UsageReader::new(layout);
    match codec::each(coding, copy, MAX_DECODED, |piece| reader.take(piece)) {
        Ok(()) => reader.reported(),
        Err(_) => Reported::default(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::config::{Prices, Seller};
    use crate::ledger::Ledger;
    use crate::metrics::{Metrics, Operation};

    fn account() -> Arc<Account> {
        let ledger = Ledger::new(&Metrics::new().unwrap(), &Prices::none());
        let seller = Seller::of("openai", "openai", "");
        ledger.of("openai", seller).of(Operation::Chat, "gpt-4o-mini")
    }

    fn headers(coding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))])
    }

    #[test]
    fn what_cannot_be_decoded_is_a_call_without_usage() {
        let account = account();
        for coding in ["gzip", "br, gzip", "unheard-of"] {
            let mut meter =
                Meter::new(Arc::clone(&account), &headers(coding), Instant::now(), None);
            meter.take(b"this is not compressed");
            meter.end(None);
        }
        let mut meter = Meter::new(Arc::clone(&account), &headers("gzip"), Instant::now(), None);
        (0..3).for_each(|_| meter.take(&vec![0; MAX_COMPRESSED / 2]));
        assert!(matches!(meter.0.reading, Reading::GivenUp));
        meter.end(None);
        assert_eq!((account.calls(), account.unpriced()), (4, (0, 4)));
    }

    #[test]
    fn a_response_that_is_broken_off_is_booked_as_far_as_it_reported() {
        let account = account();
        let event = br#"data: {"message":{"usage":{"input_tokens":12,"output_tokens":1}}}"#;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        let mut meter = Meter::new(Arc::clone(&account), &headers, Instant::now(), None);
        meter.take(event);
        meter.cut();
        assert_eq!((account.calls(), account.billed().sum()), (0, 13));
    }
}
