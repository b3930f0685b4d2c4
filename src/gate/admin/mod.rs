//! The admin listener: metrics, health, and what an operator may do.
//!
//! Nothing here is for web pages: no answer says that another site's page may read it, and none may
//! load anything.

mod entries;
mod event;
mod explain;
mod feed;
mod history;
mod page;
mod recent;
mod requests;
mod stats;
mod telling;
mod warm;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::body::Body;
use super::{Current, Guard};
use crate::ledger::Ledger;
use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::serve::warm::Jobs;
pub(super) use event::{CacheResult, Event, Subject, milliseconds};
pub use history::History;
pub use recent::Recent;

/// The paths that exist, for a 404.
const PATHS: &str = "paths: / /healthz /readyz /metrics /api/stats /api/requests /api/explain /api/entries /api/warm /api/reload\n";

/// Below it each job has a path of its own.
const JOBS: &str = "/api/jobs/";

/// What goes with every answer: it is what it says it is, loads nothing, and is kept nowhere.
const BESIDE: [(HeaderName, &str); 3] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Applies the configuration as it is written now. Returns the report; an error says what is wrong.
pub type Reload = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// What the admin listener knows.
pub struct Admin {
    /// Who may ask.
    pub guard: Guard,
    /// Since when it is there, in seconds since 1970.
    pub started: f64,
    /// Where the proxy is.
    pub proxy: String,
    /// Every series.
    pub metrics: Metrics,
    /// What was asked for, and what was saved.
    pub ledger: Arc<Ledger>,
    /// How it went of late.
    pub history: Arc<History>,
    /// What went wrong of late.
    pub recent: Arc<Recent>,
    /// What requests are served by now.
    pub current: Arc<Current>,
    /// What is warmed in the background.
    pub jobs: Arc<Jobs>,
    /// Takes a new configuration over.
    pub reload: Reload,
    /// Whether the server is on its way out.
    pub draining: watch::Receiver<bool>,
}

impl Admin {
    /// Answers one request.
    pub async fn exchange(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if let Some(file) = page::file(request.uri().path()).filter(|_| reads) {
            return file;
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => text(StatusCode::OK, "ok\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => self.ready(),
            // A browser would ask so whether a page may go on.
            (&Method::OPTIONS, _) => text(StatusCode::METHOD_NOT_ALLOWED, "not for web pages\n"),
            _ => match self.guard.refuses(&request) {
                Some(refusal) => refusal,
                None => self.admitted(request).await,
            },
        }
    }

    async fn admitted(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/metrics") => self.metrics(),
            (&Method::GET | &Method::HEAD, "/api/stats") => self.stats(request.uri().query()),
            (&Method::GET | &Method::HEAD, "/api/explain") => self.explain(request.uri().query()),
            (&Method::GET | &Method::HEAD, "/api/requests") => self.requests(request.headers()),
            (&Method::POST, "/api/reload") => self.reload().await,
            (&Method::GET | &Method::HEAD, "/api/entries") => {
                self.entries(request.uri().query()).await
            }
            (&Method::DELETE, "/api/entries") => self.purge(request.uri().query()).await,
            (&Method::POST, "/api/warm") => Box::pin(self.warm(request)).await,
            (&Method::GET | &Method::HEAD, path) if path.starts_with(JOBS) => {
                self.job(path.strip_prefix(JOBS).unwrap_or_default())
            }
            (_, path) if PATHS.split_whitespace().any(|known| known == path) => {
                text(StatusCode::METHOD_NOT_ALLOWED, "this path has another method\n")
            }
            _ => text(StatusCode::NOT_FOUND, PATHS),
        }
    }

    fn ready(&self) -> Response<Body> {
        if *self.draining.borrow() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        text(StatusCode::OK, "ready\n")
    }

    fn metrics(&self) -> Response<Body> {
        self.observe();
        match self.metrics.render(&self.current.get().settings.default_provider) {
            Ok(body) => answer(StatusCode::OK, CONTENT_TYPE, body.into()),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
        }
    }

    /// Sets the gauges that only a scrape needs.
    fn observe(&self) {
        let proxy = self.current.get();
        let service = &proxy.service;
        service.tiers.memory.observe(service.clock.now());
        self.metrics.flights.set(i64::try_from(service.flights.len()).unwrap_or(i64::MAX));
        for (what, room) in [("requests", &proxy.bodies), ("answers", &proxy.answers)] {
            self.metrics.held(what, room.held(), room.limit());
        }
    }

    /// Takes over the configuration as it is written now.
    async fn reload(self: &Arc<Self>) -> Response<Body> {
        let admin = Arc::clone(self);
        // Reading a file may take its time.
        match spawn_blocking(move || (admin.reload)()).await {
            Ok(Ok(report)) => text(StatusCode::OK, &format!("{report}\n")),
            Ok(Err(error)) => text(StatusCode::UNPROCESSABLE_ENTITY, &format!("{error}\n")),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the reload failed\n"),
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

pub(super) fn text(status: StatusCode, text: &str) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
}

fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    protect(headers);
    response
}

/// Adds the headers that every response has.
fn protect(headers: &mut HeaderMap) {
    for (name, value) in BESIDE {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
