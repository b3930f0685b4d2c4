//! Where a client's bytes become a request, and a reply becomes bytes.

mod admin;
mod body;
pub mod connection;
pub mod route;
mod write;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

pub use admin::Admin;
pub use body::Body;
use route::{Routes, endpoint};
use write::Exchange;

use crate::config::Server;
use crate::error::{Error, Kind};
use crate::headers::is_json;
use crate::metrics::{Held, Operation, OperationMetrics};
use crate::serve::reply::{Content, Reply, Verdict};
use crate::serve::{Ask, Service, Target, relay};
use crate::upstream::RequestBody;

/// The proxy's side of the gate.
#[derive(Debug)]
pub struct Proxy {
    /// The use cases.
    pub service: Arc<Service>,
    /// From paths to providers.
    pub routes: Routes,
    /// Bounds on what a client may send.
    pub settings: Server,
    /// The series of embeddings.
    pub embed: Arc<OperationMetrics>,
    /// The series of everything else.
    pub relay: Arc<OperationMetrics>,
}

impl Proxy {
    /// One exchange, from a request's head to its answer's.
    pub async fn exchange(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let received = Instant::now();
        let (mut head, body) = request.into_parts();
        let Some(path_and_query) = head.uri.path_and_query() else {
            let error = Error::new(Kind::BadRequest, "a request needs a path");
            return write::failed(self.routes.find("/").0.dialect, &error);
        };
        let (upstream, rest) = self.routes.find(path_and_query.as_str());
        let target =
            Target { upstream: Arc::clone(upstream), path_and_query: rest.to_owned(), received };
        let embeds =
            upstream.dialect.is_embed(&head.method, endpoint(rest)) && is_json(&head.headers);
        let operation = if embeds { Operation::Embed } else { Operation::Relay };
        let metrics = self.metrics(operation);
        let exchange = Exchange { metrics, received, in_flight: Held::one(&metrics.in_flight) };
        count_retry(metrics, &head.headers);
        let leaving = Leaving(Some(metrics));
        let dialect = upstream.dialect;
        let reply = match operation {
            Operation::Embed => self.embed(target, &mut head, body).await,
            Operation::Relay => {
                let body = body.map_err(Into::into).boxed_unsync();
                pass(&target, Request::from_parts(head, body), "relay").await
            }
        };
        leaving.stays();
        write::respond(dialect, reply, exchange)
    }

    async fn embed(&self, target: Target, head: &mut Parts, body: Incoming) -> Reply {
        let limit = self.settings.max_body.as_usize();
        let read = body::read(body, &head.headers, limit, self.settings.body_timeout).await;
        let whole = match read {
            Ok(whole) => whole,
            Err(error) => {
                return Reply { content: Content::Failed(error), verdict: Verdict::default() };
            }
        };
        let Some(plain) = whole.plain else {
            return pass(&target, request(head.clone(), whole.raw), "unreadable").await;
        };
        let headers = std::mem::take(&mut head.headers);
        let ask = Ask { target, headers, body: plain };
        match self.service.embed(&ask).await {
            Ok(reply) => reply,
            Err(reason) => {
                head.headers = ask.headers;
                pass(&ask.target, request(head.clone(), whole.raw), reason).await
            }
        }
    }

    fn metrics(&self, operation: Operation) -> &Arc<OperationMetrics> {
        match operation {
            Operation::Embed => &self.embed,
            Operation::Relay => &self.relay,
        }
    }
}

/// Passes a request on as it is. Boxed, since the state of a relay would be moved about with that of
/// every hit.
fn pass<'a>(
    target: &'a Target,
    request: Request<RequestBody>,
    reason: &'static str,
) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
    Box::pin(relay(&target.upstream, &target.path_and_query, request, reason))
}

/// A request with the bytes that were already read from it.
fn request(head: Parts, body: bytes::Bytes) -> Request<RequestBody> {
    Request::from_parts(head, Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

fn count_retry(metrics: &OperationMetrics, headers: &HeaderMap) {
    let count = headers.get("x-stainless-retry-count");
    if count.is_some_and(|count| count != HeaderValue::from_static("0")) {
        metrics.retries.inc();
    }
}

/// Counts a client that leaves while its answer is being made: then the exchange is dropped.
struct Leaving<'a>(Option<&'a OperationMetrics>);

impl Leaving<'_> {
    fn stays(mut self) {
        self.0 = None;
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.0 {
            metrics.cancelled.inc();
        }
    }
}
