//! The admin listener: metrics, health, and what an operator may do.
//!
//! Nothing here is for web pages: no answer says that another site's page may read it, and none may
//! load anything.

use std::fmt::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::body::Body;
use super::route::Routes;
use super::{Current, Guard};
use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::tier::purge::Reach;

/// What is here, for whoever asks for something else.
const PATHS: &str = "paths: /healthz /readyz /metrics /api/entries /api/reload\n";

/// What goes with every answer: it is what it says it is, loads nothing, and is kept nowhere.
const BESIDE: [(HeaderName, &str); 3] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Takes over the configuration as it is written now; an error says what is wrong with it.
pub type Reload = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the admin listener knows.
pub struct Admin {
    /// Who may ask.
    pub guard: Guard,
    /// Every series.
    pub metrics: Metrics,
    /// What requests are served by now.
    pub current: Arc<Current>,
    /// Takes a new configuration over.
    pub reload: Reload,
    /// Whether the server is on its way out.
    pub draining: watch::Receiver<bool>,
}

impl Admin {
    /// Answers one request.
    pub async fn exchange(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
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
            (&Method::POST, "/api/reload") => self.reload().await,
            (&Method::DELETE, "/api/entries") => self.purge(request.uri().query()).await,
            (_, "/healthz" | "/readyz" | "/metrics" | "/api/entries" | "/api/reload") => {
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
        let service = &self.current.get().service;
        service.tiers.memory.observe(service.clock.now());
        let flights = i64::try_from(service.flights.len()).unwrap_or(i64::MAX);
        self.metrics.flights.set(flights);
        match self.metrics.render() {
            Ok(body) => answer(StatusCode::OK, CONTENT_TYPE, body.into()),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
        }
    }

    /// Forgets what the filters say, in every tier. What cannot be read is refused rather than taken
    /// for "everything".
    async fn purge(&self, query: Option<&str>) -> Response<Body> {
        let proxy = self.current.get();
        let reaches = match reaches(&proxy.routes, query.unwrap_or_default()) {
            Ok(reaches) => reaches,
            Err(message) => return text(StatusCode::BAD_REQUEST, &format!("{message}\n")),
        };
        let purged = proxy.service.tiers.purge(&reaches).await;
        tracing::info!(entries = purged, "the cache was purged");
        let mut body = String::new();
        writeln!(body, "{{\"purged\":{purged}}}").expect("writing to a String cannot fail");
        answer(StatusCode::OK, "application/json", body.into())
    }

    /// Takes over the configuration as it is written now.
    async fn reload(self: &Arc<Self>) -> Response<Body> {
        let admin = Arc::clone(self);
        // Reading a file may take its time.
        match spawn_blocking(move || (admin.reload)()).await {
            Ok(Ok(())) => text(StatusCode::OK, "reloaded\n"),
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

/// What a purge is for.
fn reaches(routes: &Routes, query: &str) -> Result<Vec<Reach>, String> {
    let known = |name: &str| routes.upstreams().any(|upstream| upstream.name == name);
    let (mut provider, mut model) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "provider" => provider = Some(value.into_owned()),
            "model" => model = Some(value.into_owned()),
            _ => return Err(format!("{name:?}: unknown filter; known are: provider, model")),
        }
    }
    if let Some(name) = provider.as_ref().filter(|name| !known(name)) {
        return Err(format!("{name:?}: unknown provider"));
    }
    Ok(match (provider, model) {
        (None, None) => vec![Reach::Everything],
        (Some(provider), None) => vec![Reach::Upstream(provider)],
        (Some(provider), Some(model)) => vec![Reach::Model(provider, model)],
        (None, Some(model)) => {
            let names = routes.upstreams().map(|upstream| upstream.name.clone());
            names.map(|provider| Reach::Model(provider, model.clone())).collect()
        }
    })
}

pub(super) fn text(status: StatusCode, text: &str) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
}

fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in BESIDE {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
