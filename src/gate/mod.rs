//! Where a client's bytes become a request, and a reply becomes bytes.

mod admin;
mod admit;
mod allowed;
mod asking;
mod body;
mod buffering;
mod client;
pub mod connection;
mod contain;
mod current;
mod end;
mod express;
mod failing;
mod guard;
mod log;
mod meter;
mod origin;
mod pages;
mod pulse;
mod recorded;
mod redirect;
pub mod route;
mod ruled;
mod straight;
mod stream_task;
mod strict;
mod taped;
mod target;
mod told;
mod traced;
mod tunnel;
mod unread;
mod watched;
mod write;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio_util::task::TaskTracker;

pub use admin::{Admin, History, Recent, Reload};
use admit::Way;
pub use allowed::Allowed;
pub use body::{Body, MAX_COPIES};
use client::{Leaving, count_retry};
pub use current::Current;
pub use express::Express;
pub use guard::Guard;
use log::Recorded;
pub use pages::{Entrance, Pages};
use route::{Routes, understood};
use write::{Exchange, Voice};

use crate::ceiling::Ceiling;
use crate::config::Server;
use crate::dialect::Endpoint;
use crate::error::Error;
use crate::metrics::{Held, IntCounter, Operation, OperationMetrics};
use crate::recording::Recordings;
use crate::serve::reply::{Content, Reply, Verdict};
use crate::serve::{Ask, Passing, Rules, Service, Target};
use crate::trace::{Spanning, Tracer};

/// The proxy's side of the gate.
#[derive(Debug)]
pub struct Proxy {
    /// The use cases.
    pub service: Arc<Service>,
    /// Who may ask, where that is not everybody.
    pub allowed: Option<Allowed>,
    /// The web pages that may send requests.
    pub pages: Pages,
    /// From paths to providers.
    pub routes: Routes,
    /// What becomes of some requests for models' words.
    pub rules: Arc<Rules>,
    /// Bounds on what a client may send.
    pub settings: Server,
    /// Room for the bodies that are read to their ends.
    pub bodies: Arc<Ceiling>,
    /// Room for the answers that are held whole.
    pub answers: Arc<Ceiling>,
    /// The series of embeddings.
    pub embed: Arc<OperationMetrics>,
    /// The series of models' words.
    pub chat: Arc<OperationMetrics>,
    /// The series of reads of stores.
    pub read: Arc<OperationMetrics>,
    /// The series of everything else.
    pub relay: Arc<OperationMetrics>,
    /// Whether each request has a line in the log.
    pub log_requests: bool,
    /// What becomes of answers, where they are recorded or replayed.
    pub recordings: Option<Recordings>,
    /// What went wrong of late.
    pub recent: Arc<Recent>,
    /// What traces requests, where they are.
    pub tracer: Option<Arc<Tracer>>,
    /// Requests that larder could not cope with.
    pub panics: IntCounter,
    /// What a drain waits for.
    pub tasks: TaskTracker,
}

impl Proxy {
    /// One exchange, from a request's head to its answer's.
    pub async fn exchange(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        entrance: Entrance,
    ) -> Response<Body> {
        let received = Instant::now();
        let tunnel = tunnel::asked(&mut request);
        let (mut head, body) = request.into_parts();
        let path_and_query = match self.enter(&head.uri, &head.method, &head.headers) {
            Ok(path_and_query) => path_and_query,
            Err(response) => return *response,
        };
        let Way { upstream, rest, refused } = self.admit(&head, path_and_query, entrance);
        let endpoint = understood(upstream, &head, &rest);
        let mut exchange = self.begin(&head, (&upstream.name, endpoint), received);
        let (metrics, trace) = (exchange.metrics, exchange.span.as_ref().map(Spanning::share));
        let voice = Voice(upstream.dialect, &rest);
        let (upstream, method) = (Arc::clone(upstream), head.method);
        let below = rest.clone().into_owned();
        let target = Target { upstream, endpoint, method, path_and_query: below, received, trace };
        if let Some(error) = refused {
            let recorded = Recorded::of(&target, &head.headers, path_and_query);
            return self.finish(&recorded, (&voice, failed(error)), exchange);
        }
        count_retry(metrics, &head.headers);
        let leaving = Leaving::of(metrics);
        let mut headers = std::mem::take(&mut head.headers);
        let group = self.strip(&mut headers, exchange.page.is_some());
        let mut ask = Ask { target, headers, group, body: Bytes::new(), rule: None, taping: None };
        let mut reply = match (&self.recordings, self.unread(&ask, path_and_query, &body)) {
            (Some(recordings), _) => {
                // Boxed, since it is for tests, and every hit would have room for its state.
                let asked = (path_and_query, body, tunnel);
                Box::pin(self.by_recordings(recordings, &mut ask, asked)).await
            }
            (None, Some(reason)) => {
                let body = self.upload(body.map_err(Into::into).boxed_unsync());
                let reply = self.pass(&ask, Passing::Streamed(body), reason).await;
                self.tunnel(tunnel, reply)
            }
            (None, None) => self.whole(&mut ask, path_and_query, body).await,
        };
        exchange.tape = self.tape(&ask, &reply);
        // The body may have decided.
        exchange.metrics = self.metrics(ask.target.endpoint.operation());
        reply.verdict.rule.clone_from(&ask.rule);
        let model = self.service.explain(&ask, &mut reply);
        leaving.stays();
        let recorded = Recorded::of(&ask.target, &ask.headers, path_and_query);
        let recorded = Recorded { model, body: Some(&ask.body), ..recorded };
        self.finish(&recorded, (&voice, reply), exchange)
    }

    /// Begins to count a request, and to trace it where it is to be.
    fn begin(&self, head: &Parts, whose: (&str, Endpoint), received: Instant) -> Exchange<'_> {
        let metrics = self.metrics(whose.1.operation());
        let tracer = self.tracer.as_ref();
        let span = tracer.and_then(|tracer| traced::begin(tracer, head, whose, received));
        let in_flight = Held::one(&metrics.in_flight);
        let page = self.pages.listed(&head.headers);
        Exchange { metrics, received, in_flight, span, tape: None, page }
    }

    /// Answers a request whose body has to be known. By reference: what is passed by value takes
    /// room twice in a future that is moved about for every hit.
    async fn whole(&self, ask: &mut Ask, path: &str, body: Incoming) -> Reply {
        // Held until the answer is there.
        let mut room = self.bodies.room();
        match self.read(ask, body, &mut room).await {
            Ok(whole) => self.answer(ask, path, whole).await,
            Err(error) => failed(error),
        }
    }

    /// Answers a request whose body is known.
    async fn answer(&self, ask: &mut Ask, path: &str, whole: body::Whole) -> Reply {
        let body::Whole { mut raw, plain } = whole;
        let is_readable = plain.is_some();
        if is_readable
            && self.may_be_ruled(ask, path)
            // Boxed, since few requests are under rules.
            && let Some(reply) = Box::pin(self.rule(ask, path, &mut raw)).await
        {
            return reply;
        }
        let reply = self.ask_one(ask, (&raw, is_readable)).await;
        if !reply.is_providers_failure() || ask.target.upstream.settings.fallback.is_empty() {
            return reply;
        }
        // Boxed, since few requests are asked twice.
        Box::pin(self.ask_others(ask, (&raw, is_readable), reply)).await
    }

    fn metrics(&self, operation: Operation) -> &Arc<OperationMetrics> {
        match operation {
            Operation::Embed => &self.embed,
            Operation::Chat => &self.chat,
            Operation::Read => &self.read,
            Operation::Relay => &self.relay,
        }
    }
}

fn failed(error: Error) -> Reply {
    Reply { content: Content::Failed(error), verdict: Verdict::default() }
}
