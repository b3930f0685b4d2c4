//! Background embedding of a list (`POST /api/warm`), and how far it is (`GET /api/jobs/ID`).

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::super::Proxy;
use super::super::body::{self, Body, Bounds};
use super::super::route;
use super::super::write::full_seconds;
use super::{Admin, answer, text};
use crate::ceiling::Room;
use crate::dialect::Endpoint;
use crate::error::{Error, Kind};
use crate::headers::is_of_message;
use crate::serve::warm::{Job, List, Work};
use crate::upstream::{Upstream, embeddings_below};

/// What the names of headers begin with that the job's requests carry, without this: `authorization` here is
/// the administrator's own.
const CARRIED: &str = "x-larder-upstream-";

impl Admin {
    /// Takes a list on.
    pub(super) async fn warm(&self, request: Request<Incoming>) -> Response<Body> {
        match self.take(request).await {
            Ok(job) => {
                let mut response = written(StatusCode::ACCEPTED, &told(&job));
                if let Ok(place) = HeaderValue::try_from(format!("/api/jobs/{}", job.id)) {
                    response.headers_mut().insert(header::LOCATION, place);
                }
                response
            }
            Err(error) => refusal(&error),
        }
    }

    /// How far a job is.
    pub(super) fn job(&self, id: &str) -> Response<Body> {
        match self.jobs.of(id) {
            Some(job) => written(StatusCode::OK, &told(&job)),
            None => text(StatusCode::NOT_FOUND, "no job of this name is remembered\n"),
        }
    }

    async fn take(&self, request: Request<Incoming>) -> Result<Arc<Job>, Error> {
        if *self.draining.borrow() {
            return Err(Error::new(Kind::Overloaded, "the server ends"));
        }
        let proxy = self.current.get();
        let (head, body) = request.into_parts();
        let headers = carried(&head.headers)?;
        let mut room = self.jobs.room();
        let time = proxy.settings.body_timeout;
        let bounds = Bounds { size: proxy.settings.max_body.as_usize(), copies: 1, time };
        let whole = body::read(body, &head.headers, bounds, &mut room).await?;
        let undecodable = || wrong("the body does not decode".to_owned());
        let list = List::read(&whole.plain.ok_or_else(undecodable)?).map_err(wrong)?;
        let work = work(&proxy, headers, (list, room))?;
        let job = self.jobs.open(work.list.total)?;
        let running = Arc::clone(&job).run(work, self.draining.clone());
        proxy.tasks.spawn(running);
        Ok(job)
    }
}

/// What a job does.
fn work(proxy: &Proxy, headers: HeaderMap, (list, room): (List, Room)) -> Result<Work, Error> {
    let name = list.provider.as_ref().unwrap_or(&proxy.settings.default_provider);
    let upstream = Arc::clone(proxy.routes.provider(name).map_err(wrong)?);
    let (endpoint, path) = endpoint(&upstream)?;
    let service = Arc::clone(&proxy.service);
    Ok(Work { service, upstream, endpoint, path, headers, list, room })
}

/// Where a provider is asked for embeddings in the shape that most have.
fn endpoint(upstream: &Upstream) -> Result<(Endpoint, String), Error> {
    let path = upstream.below_base(embeddings_below(&upstream.settings.base_url));
    let endpoint = upstream.dialect.endpoint(&Method::POST, route::endpoint(path));
    if !matches!(endpoint, Endpoint::Embed(_)) {
        return Err(wrong(format!("{}: it has no /embeddings", upstream.name)));
    }
    Ok((endpoint, path.to_owned()))
}

/// What the application's requests carry.
fn carried(headers: &HeaderMap) -> Result<HeaderMap, Error> {
    let mut carried = HeaderMap::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(CARRIED) else { continue };
        let name = name.parse::<HeaderName>().ok().filter(|name| !is_of_message(name));
        let mut value = value.clone();
        value.set_sensitive(true);
        let refused = || wrong(format!("{CARRIED}…: a header that no request may carry so"));
        carried.append(name.ok_or_else(refused)?, value);
    }
    Ok(carried)
}

fn wrong(message: String) -> Error {
    Error::new(Kind::BadRequest, message)
}

fn refusal(error: &Error) -> Response<Body> {
    let mut response = text(error.kind.status(), &format!("{error}\n"));
    if let Some(wait) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, full_seconds(wait));
    }
    response
}

fn written(status: StatusCode, value: &Value) -> Response<Body> {
    answer(status, "application/json", format!("{value}\n").into())
}

fn told(job: &Job) -> Value {
    let counts = job.counts();
    json!({
        "id": job.id,
        "state": counts.state.label(),
        "total": job.total,
        "done": counts.hits + counts.embedded + counts.failed,
        "hits": counts.hits,
        "embedded": counts.embedded,
        "failed": counts.failed,
        "errors": counts.errors,
    })
}
