//! The admin listener: metrics, health, and what an operator may do.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tokio::sync::watch;

use super::body::Body;
use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::serve::Service;
use crate::tier::purge::Reach;

/// What the admin listener knows.
#[derive(Debug)]
pub struct Admin {
    /// Every series.
    pub metrics: Metrics,
    /// The use cases, for what is in the cache.
    pub service: Arc<Service>,
    /// The providers' names.
    pub providers: Vec<String>,
    /// Whether the server is on its way out.
    pub draining: watch::Receiver<bool>,
}

impl Admin {
    /// Answers one request.
    pub async fn exchange(&self, request: &Request<Incoming>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => text(StatusCode::OK, "ok\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => self.ready(),
            (&Method::GET | &Method::HEAD, "/metrics") => self.metrics(),
            (&Method::DELETE, "/api/entries") => self.purge(request.uri().query()).await,
            (_, "/healthz" | "/readyz" | "/metrics" | "/api/entries") => {
                text(StatusCode::METHOD_NOT_ALLOWED, "this path has another method\n")
            }
            _ => text(StatusCode::NOT_FOUND, "paths: /healthz /readyz /metrics /api/entries\n"),
        }
    }

    fn ready(&self) -> Response<Body> {
        if *self.draining.borrow() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        text(StatusCode::OK, "ready\n")
    }

    fn metrics(&self) -> Response<Body> {
        self.service.tiers.memory.observe(self.service.clock.now());
        let flights = i64::try_from(self.service.flights.len()).unwrap_or(i64::MAX);
        self.metrics.flights.set(flights);
        match self.metrics.render() {
            Ok(body) => answer(StatusCode::OK, CONTENT_TYPE, body.into()),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
        }
    }

    /// Forgets what the filters say, in every tier. What cannot be read is refused rather than taken
    /// for "everything".
    async fn purge(&self, query: Option<&str>) -> Response<Body> {
        let reaches = match self.reaches(query.unwrap_or_default()) {
            Ok(reaches) => reaches,
            Err(message) => return text(StatusCode::BAD_REQUEST, &format!("{message}\n")),
        };
        let purged = self.service.tiers.purge(&reaches).await;
        tracing::info!(entries = purged, "the cache was purged");
        let mut body = String::new();
        writeln!(body, "{{\"purged\":{purged}}}").expect("writing to a String cannot fail");
        answer(StatusCode::OK, "application/json", body.into())
    }

    fn reaches(&self, query: &str) -> Result<Vec<Reach>, String> {
        let (mut provider, mut model) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "provider" => provider = Some(value.into_owned()),
                "model" => model = Some(value.into_owned()),
                _ => return Err(format!("{name:?}: unknown filter; known are: provider, model")),
            }
        }
        if let Some(name) = provider.as_ref().filter(|name| !self.providers.contains(name)) {
            return Err(format!("{name:?}: unknown provider"));
        }
        Ok(match (provider, model) {
            (None, None) => vec![Reach::Everything],
            (Some(provider), None) => vec![Reach::Upstream(provider)],
            (Some(provider), Some(model)) => vec![Reach::Model(provider, model)],
            (None, Some(model)) => {
                let providers = self.providers.iter().cloned();
                providers.map(|provider| Reach::Model(provider, model.clone())).collect()
            }
        })
    }
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
}

fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
