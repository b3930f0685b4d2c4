//! Replies as HTTP answers: status, headers that say what the cache did, body.

use std::borrow::Cow;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};

use super::body::{Body, Flow, Own, Relayed};
use super::end::End;
use super::meter::Meter;
use super::pages::let_read;
use super::taped::{self, Tape};
use super::told::{own, put, told};
use super::traced;
use crate::broadcast::Head;
use crate::dialect::Dialect;
use crate::error::{Error, Kind};
use crate::headers::to_caller;
use crate::metrics::{Held, Layer, OperationMetrics, Outcome};
use crate::serve::reply::{Content, Items, Reply, Verdict};
use crate::trace::{Span, Spanning};
use crate::upstream::Answer;

/// How many headers an answer from the cache has, with hyper's own.
const OWN_HEADERS: usize = 8;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ERROR: HeaderName = HeaderName::from_static("x-larder-error");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// In whose shape, and of which path, larder's own errors are.
pub(super) struct Voice<'a>(pub(super) &'static dyn Dialect, pub(super) &'a str);

/// An exchange whose answer is being written.
pub(super) struct Exchange<'a> {
    pub(super) metrics: &'a Arc<OperationMetrics>,
    pub(super) received: Instant,
    pub(super) in_flight: Held,
    /// The span of the request, where it is traced.
    pub(super) span: Option<Spanning>,
    /// What records the answer, where it is recorded.
    pub(super) tape: Option<Tape>,
    /// The origin of the page that the request comes from, if the page may read the response.
    pub(super) page: Option<HeaderValue>,
}

/// An answer from a reply. An answer that is still coming is counted when it ends.
pub(super) fn respond(voice: &Voice<'_>, reply: Reply, exchange: Exchange<'_>) -> Response<Body> {
    let Exchange { metrics, received, in_flight, mut span, tape, page } = exchange;
    let trace = span.as_ref().map(Spanning::share);
    if let Some(trace) = &trace {
        traced::tell(trace, &reply, received);
    }
    let Reply { content, verdict } = reply;
    let (outcome, total) = (verdict.outcome(), received.elapsed());
    credit(&verdict, total);
    let mut response = match content {
        Content::Streamed(response, passage) => {
            let (head, body) = response.into_parts();
            let metrics = Arc::clone(metrics);
            let end = End { metrics, outcome, received, complete: false, span: span.take() };
            let meter = metered(&verdict, &head.headers, received, trace.clone());
            let flow = Flow::Own(Box::new(Own::new(body, passage, meter)));
            let flow = taped::around(tape, (head.status, &head.headers), flow);
            let body = Relayed::new(flow, in_flight, end);
            streamed(head.status, head.headers, body)
        }
        Content::Shared(shared) => {
            let (Head { status, mut headers, .. }, reader) = *shared;
            // A client that returned it would have a cache of its own.
            headers.remove(header::SET_COOKIE);
            let length = headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok());
            let flow = Flow::Shared(reader, length.and_then(|text| text.parse().ok()));
            let flow = taped::around(tape, (status, &headers), flow);
            let metrics = Arc::clone(metrics);
            let end = End { metrics, outcome, received, complete: false, span: span.take() };
            streamed(status, headers, Relayed::new(flow, in_flight, end))
        }
        whole => {
            metrics.finished(outcome, total);
            recorded(voice, whole, tape)
        }
    };
    count(metrics, &verdict, (response.status().as_u16(), total));
    if let Some(trace) = trace {
        trace.answered(response.status().as_u16());
    }
    if let Some(whole) = span {
        whole.done();
    }
    put(told(&verdict, total), response.headers_mut());
    if let Some(origin) = page {
        let_read(response.headers_mut(), origin);
    }
    response
}

/// Counts an answer that is all there, with a status of 200, and gives its head's fields.
pub(super) fn tell(
    verdict: &Verdict,
    (metrics, total): (&OperationMetrics, Duration),
) -> impl Iterator<Item = (HeaderName, Cow<'static, str>)> {
    credit(verdict, total);
    metrics.finished(verdict.outcome(), total);
    count(metrics, verdict, (200, total));
    let json = (header::CONTENT_TYPE, Cow::Borrowed("application/json"));
    iter::once(json).chain(told(verdict, total))
}

/// Enters an answer in the account that it is for.
fn credit(verdict: &Verdict, total: Duration) {
    if let Some(credit) = &verdict.credit {
        let inputs = verdict.items.map(Items::counted).unwrap_or_default();
        credit.account.answered(verdict.outcome(), inputs, (credit, total));
    }
}

/// Counts an answer at its head.
fn count(metrics: &OperationMetrics, verdict: &Verdict, (status, total): (u16, Duration)) {
    let outcome = verdict.outcome();
    let in_memory = outcome == Outcome::Hit && verdict.layer == Layer::Memory;
    metrics.took(own(verdict, total), in_memory.then_some(verdict.age));
    metrics.answered(outcome, status, total);
}

/// Reads what a relayed response used, where it is to be booked.
fn metered(
    verdict: &Verdict,
    headers: &HeaderMap,
    received: Instant,
    span: Option<Arc<Span>>,
) -> Option<Meter> {
    let credit = verdict.credit.as_ref()?;
    Some(Meter::new(Arc::clone(&credit.account), headers, received, span))
}

/// An answer that is still coming.
fn streamed(status: StatusCode, mut headers: HeaderMap, body: Relayed) -> Response<Body> {
    to_caller(&mut headers);
    let mut response = Response::new(Either::Right(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// An answer that is all there, recorded where it is to be.
fn recorded(voice: &Voice<'_>, content: Content, tape: Option<Tape>) -> Response<Body> {
    let taped = tape.and_then(|tape| Some((tape, content.bytes()?)));
    let response = whole(voice, content);
    if let Some((tape, body)) = taped {
        tape.whole((response.status(), response.headers()), &body);
    }
    response
}

fn whole(voice: &Voice<'_>, content: Content) -> Response<Body> {
    match content {
        Content::Written(body, beside) => {
            let mut response = Response::new(Either::Left(Full::new(body)));
            *response.headers_mut() = match beside {
                Some(beside) => Arc::unwrap_or_clone(beside),
                None => HeaderMap::with_capacity(OWN_HEADERS),
            };
            response.headers_mut().insert(header::CONTENT_TYPE, JSON);
            response
        }
        Content::Passed(answer) => passed(&answer),
        Content::Switched(headers) => {
            let mut response = Response::new(Either::Left(Full::default()));
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            *response.headers_mut() = headers;
            response
        }
        Content::Failed(error) => failed(voice, &error),
        Content::Replayed(transcript) => {
            let mut response = Response::new(Either::Left(Full::new(transcript.body)));
            *response.headers_mut() = transcript.headers;
            response
        }
        Content::Streamed(..) | Content::Shared(_) => {
            failed(voice, &Error::new(Kind::UpstreamInvalid, "the response has no body"))
        }
    }
}

/// A provider's own answer, whole: all as it was but the framing, and the cookies, since a client that returned
/// them would have a cache of its own.
fn passed(answer: &Answer) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(answer.body.clone())));
    *response.status_mut() = answer.status;
    let mut headers = answer.headers.clone();
    to_caller(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::SET_COOKIE);
    *response.headers_mut() = headers;
    response
}

/// To the next full second: nobody is to come too early.
pub(super) fn full_seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// An error of larder's own, in the caller's shape.
pub(super) fn failed(voice: &Voice<'_>, error: &Error) -> Response<Body> {
    let body = Bytes::from(voice.0.write_error(voice.1, error));
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = error.kind.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(ERROR, HeaderValue::from_static(error.kind.code()));
    if let Some(wait) = error.retry_after {
        headers.insert(header::RETRY_AFTER, full_seconds(wait));
    }
    if error.kind == Kind::Unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if matches!(error.kind, Kind::NotCached | Kind::NotRecorded) {
        // SDKs take a 504 for worth trying again; here nothing will have changed.
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overload_says_when_to_come_back() {
        let voice = Voice(crate::dialect::named("openai").unwrap(), "/v1/embeddings");
        let response = failed(&voice, &Error::new(Kind::Overloaded, "full"));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[ERROR], "overloaded");
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
