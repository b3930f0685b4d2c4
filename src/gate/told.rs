//! What the fields of a head tell of an answer.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::metrics::Outcome;
use crate::serve::reply::Verdict;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const EXPLAIN: HeaderName = HeaderName::from_static("x-larder-explain");
const ITEMS: HeaderName = HeaderName::from_static("x-larder-items");
const RULE: HeaderName = HeaderName::from_static("x-larder-rule");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What is told of an answer: how old it is, what the cache did, and how long it took.
pub(super) fn told(
    verdict: &Verdict,
    total: Duration,
) -> impl Iterator<Item = (HeaderName, Cow<'static, str>)> {
    let has_age = matches!(verdict.outcome(), Outcome::Hit | Outcome::Stale);
    let age = || itoa::Buffer::new().format(verdict.age).to_owned();
    let divided = verdict.items.filter(|_| !verdict.undivided);
    let fields = [
        has_age.then(|| (header::AGE, age().into())),
        verdict.explained.as_ref().map(|why| (EXPLAIN, why.to_string().into())),
        verdict.rule.as_ref().map(|rule| (RULE, rule.name.clone().into())),
        Some((CACHE_STATUS, verdict.cache_status())),
        divided.map(|items| (ITEMS, items.header())),
        verdict.items.map(|_| (SERVER_TIMING, server_timing(verdict, total).into())),
    ];
    fields.into_iter().flatten()
}

/// What larder itself took.
pub(super) fn own(verdict: &Verdict, total: Duration) -> Duration {
    total.saturating_sub(verdict.queue + verdict.upstream)
}

fn server_timing(verdict: &Verdict, total: Duration) -> String {
    let mut text = String::with_capacity(64);
    for (name, time) in [
        ("cache;dur=", own(verdict, total)),
        (", queue;dur=", verdict.queue),
        (", upstream;dur=", verdict.upstream),
    ] {
        text.push_str(name);
        milliseconds(&mut text, time);
    }
    text
}

fn milliseconds(out: &mut String, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let thousandths = micros % 1_000;
    out.push_str(itoa::Buffer::new().format(micros / 1_000));
    out.push_str(match thousandths {
        0..10 => ".00",
        10..100 => ".0",
        _ => ".",
    });
    out.push_str(itoa::Buffer::new().format(thousandths));
}

/// Puts what is told into a head that may tell something already.
pub(super) fn put(
    fields: impl Iterator<Item = (HeaderName, Cow<'static, str>)>,
    headers: &mut HeaderMap,
) {
    for (name, value) in fields {
        let value = match value {
            Cow::Borrowed(text) => HeaderValue::from_static(text),
            Cow::Owned(text) => HeaderValue::from_maybe_shared(Bytes::from(text))
                .expect("words, numbers and plain names are a header value"),
        };
        // A provider or a cache before it may have told of itself: RFC 9211, section 2.
        if name == CACHE_STATUS || name == SERVER_TIMING {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_with_three_digits() {
        for (micros, text) in [(0, "0.000"), (7, "0.007"), (45, "0.045"), (1_234_567, "1234.567")] {
            let mut out = String::new();
            milliseconds(&mut out, Duration::from_micros(micros));
            assert_eq!(out, text);
        }
    }
}
