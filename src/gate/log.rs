//! The record of each request: an event for readers of the admin API, the failures by kind, and a line of
//! the log where `log.requests` is on. It holds no body, no query and no credential.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::admin::{CacheResult, Event, Subject, milliseconds};
use super::failing::{Failing, Said};
use super::write::{self, Exchange, Voice};
use super::{Body, Proxy};
use crate::error::{Error, Kind};
use crate::ledger::OTHER;
use crate::metrics::{Operation, Outcome};
use crate::serve::Target;
use crate::serve::reply::{Content, Items, Reply, Verdict};

/// A longer request id is cut off in the log.
const LONGEST_ID: usize = 128;

/// Headers in which providers and gateways name a request.
const REQUEST_IDS: [&str; 3] = ["x-request-id", "request-id", "x-amzn-requestid"];

/// The facts that a response is recorded with.
pub(super) struct Recorded<'a> {
    pub(super) target: &'a Target,
    /// The client's own headers.
    pub(super) headers: &'a HeaderMap,
    /// The path as the client sent it.
    pub(super) path_and_query: &'a str,
    /// The model of a request without an account; empty where it is unknown.
    pub(super) model: String,
    /// The body, where it was read.
    pub(super) body: Option<&'a Bytes>,
}

impl<'a> Recorded<'a> {
    /// The facts of a request whose model is not known.
    pub(super) fn of(target: &'a Target, headers: &'a HeaderMap, path_and_query: &'a str) -> Self {
        Self { target, headers, path_and_query, model: String::new(), body: None }
    }
}

impl Proxy {
    /// Writes a response, and records it.
    pub(super) fn finish(
        &self,
        recorded: &Recorded<'_>,
        (voice, reply): (&Voice<'_>, Reply),
        exchange: Exchange<'_>,
    ) -> Response<Body> {
        let reply = self.weighed(reply);
        let cache = CacheResult::of(&reply.verdict);
        let (said, error) = match &reply.content {
            Content::Failed(error) => (Said::Own(error.clone()), Some(error.kind)),
            Content::Passed(answer) => (Said::Whole(answer.body.clone()), None),
            _ => (Said::Coming, None),
        };
        let account = reply.verdict.credit.as_ref().map(|credit| &credit.account);
        let subject = match account {
            Some(account) if &*account.model != OTHER => Subject::Account(Arc::clone(account)),
            _ => Subject::Named {
                provider: recorded.target.upstream.name.as_str().into(),
                model: recorded.model.as_str().into(),
            },
        };
        let received = exchange.received;
        let mut response = write::respond(voice, reply, exchange);
        self.redirect(recorded, response.status(), response.headers_mut());
        let (status, operation) =
            (response.status().as_u16(), recorded.target.endpoint.operation());
        let code = error.map(Kind::code);
        let event = Event::of(subject, operation, (status, code), (cache, received));
        if self.log_requests {
            log(recorded, &event, &response);
        }
        if status >= 400 {
            Failing::note(&self.recent, event.clone(), said, (recorded, &mut response));
        }
        self.recent.feed.push(event);
        response
    }
}

impl Proxy {
    /// Counts and records a request that is refused for its first line alone. It has no provider; the default
    /// one's name stands for it, as its shape does in the response.
    pub(super) fn refused_at_the_door(&self, error: &Error) {
        let provider = self.routes.default().name.as_str().into();
        let subject = Subject::Named { provider, model: "".into() };
        let (status, code) = (error.kind.status().as_u16(), Some(error.kind.code()));
        self.relay.answered(Outcome::Bypass, status, Duration::ZERO);
        let cache = CacheResult::of(&Verdict::default());
        let event = Event::of(subject, Operation::Relay, (status, code), (cache, Instant::now()));
        self.recent.failed(&event, Some(&error.message));
        self.recent.feed.push(event);
    }
}

/// Logs a response at its head.
fn log(recorded: &Recorded<'_>, event: &Event, response: &Response<Body>) {
    // Some providers take credentials in the query.
    let path = recorded.path_and_query.split('?').next().unwrap_or_default();
    let headers = response.headers();
    let status = headers.get_all("cache-status").iter().next_back();
    let items = event.items();
    let count = |of: fn(&Items) -> usize| items.as_ref().map(of);
    let (provider, model) = event.names();
    tracing::info!(
        method = %recorded.target.method,
        path,
        provider,
        operation = event.operation_label(),
        model = Some(model).filter(|model| !model.is_empty()),
        status = response.status().as_u16(),
        cache = status.and_then(|value| value.to_str().ok()),
        hit = count(|items| items.hit),
        collapsed = count(|items| items.collapsed),
        miss = count(|items| items.miss),
        error = text(headers, "x-larder-error"),
        request_id = text(recorded.headers, "x-request-id"),
        upstream_request_id = REQUEST_IDS.iter().find_map(|name| text(headers, name)),
        milliseconds = milliseconds(event.took()),
        "response sent"
    );
}

/// The text of a header, if it is printable.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.get(..LONGEST_ID).unwrap_or(text))
}
