//! One provider: calls under permits and deadlines, over pooled connections. The only room that
//! names the HTTP client; it never reads what a provider says.

mod breaker;
mod counted;
mod pool;
mod retry;

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{error::Elapsed, sleep, timeout};

use breaker::{Admission, Breaker};
pub use pool::RequestBody;
use retry::Budget;

use crate::codec;
use crate::config::Provider;
use crate::dialect::Dialect;
use crate::error::{Error, Kind};
use crate::key::{Digest, Framer};
use crate::metrics::{Called, Held, Operation, UpstreamMetrics};

/// The right to make one call now; it counts as under way until it is dropped.
#[derive(Debug)]
pub struct Permit {
    _turn: OwnedSemaphorePermit,
    _active: Held,
    admission: Admission,
}

/// A place among the bytes that may wait for a provider, until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Room {
    _kibibytes: Arc<OwnedSemaphorePermit>,
}

/// A whole call for embeddings.
#[derive(Debug, Clone)]
pub struct Call {
    /// Where below the base URL.
    pub path_and_query: String,
    /// As the client sent them, without this hop's.
    pub headers: HeaderMap,
    /// JSON.
    pub body: Bytes,
}

/// A whole answer, decoded.
#[derive(Debug, Clone)]
pub struct Answer {
    /// As sent.
    pub status: StatusCode,
    /// As sent, without `Content-Encoding` where the body was decoded.
    pub headers: HeaderMap,
    /// As sent, decoded.
    pub body: Bytes,
    /// How long the call took.
    pub took: Duration,
}

/// A configured provider.
pub struct Upstream {
    /// The name in the configuration, and the first segment of its paths.
    pub name: String,
    /// Its wire shapes.
    pub dialect: &'static dyn Dialect,
    /// Its settings.
    pub settings: Provider,
    /// What makes its answers its own: scheme, host, port and base path.
    pub identity: Digest,
    /// Its series.
    pub metrics: UpstreamMetrics,
    scheme: Scheme,
    authority: Authority,
    base_path: String,
    pools: pool::Pools,
    permits: Arc<Semaphore>,
    breaker: Arc<Breaker>,
    retries: Budget,
    /// In KiB, since a semaphore counts to 2³².
    waiting_room: Arc<Semaphore>,
}

impl Upstream {
    /// Everything that is known before the first call; opens nothing.
    pub fn new(
        name: &str,
        dialect: &'static dyn Dialect,
        settings: Provider,
        metrics: UpstreamMetrics,
    ) -> Result<Self, String> {
        let base: Uri =
            settings.base_url.parse().map_err(|_| "base_url is not a URL".to_owned())?;
        let parts = base.into_parts();
        let base_path = parts.path_and_query.as_ref().map_or("", PathAndQuery::path);
        let base_path = base_path.trim_end_matches('/').to_owned();
        let scheme = parts.scheme.ok_or("base_url has no scheme")?;
        let authority = parts.authority.ok_or("base_url has no host")?;
        let identity = Framer::new("larder upstream")
            .field(b's', scheme.as_str().as_bytes())
            .field(b'a', authority.as_str().to_ascii_lowercase().as_bytes())
            .field(b'p', base_path.as_bytes())
            .field(b'd', dialect.name().as_bytes())
            .finish();
        metrics.limit.set(i64::from(settings.max_connections));
        Ok(Self {
            name: name.to_owned(),
            dialect,
            identity,
            scheme,
            authority,
            base_path,
            pools: pool::Pools::build(&settings, &metrics)?,
            permits: Arc::new(Semaphore::new(settings.max_connections as usize)),
            breaker: Breaker::new(name, settings.breaker_failures, metrics.breaker.clone()),
            retries: Budget::new(settings.retry_percent),
            waiting_room: Arc::new(Semaphore::new(settings.max_queued.as_usize() >> 10)),
            metrics,
            settings,
        })
    }

    /// A path below the base URL, without a version segment that the base has already.
    pub fn below_base<'p>(&self, mut path_and_query: &'p str) -> &'p str {
        let Some((_, version)) = self.base_path.rsplit_once('/') else { return path_and_query };
        if !is_version(version) {
            return path_and_query;
        }
        while let Some(rest) =
            path_and_query.strip_prefix('/').and_then(|path| path.strip_prefix(version))
            && (rest.is_empty() || rest.starts_with(['/', '?']))
        {
            path_and_query = rest;
        }
        path_and_query
    }

    /// The right to make one call now, waiting for it as long as the settings say; not at all where
    /// the provider was not there when it was last called.
    pub async fn permit(&self) -> Result<Permit, Error> {
        let started = Instant::now();
        let admission = self.breaker.admit(started).map_err(|left| self.broken(left))?;
        let permit =
            timeout(self.settings.permit_timeout, Arc::clone(&self.permits).acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            let message = format!("all connections to {} are busy", self.name);
            return Err(Error::new(Kind::Overloaded, message));
        };
        self.metrics.permit_wait.observe(started.elapsed().as_secs_f64());
        Ok(Permit { _turn: permit, _active: Held::one(&self.metrics.active), admission })
    }

    /// Room for so many bytes to wait; `None` if there is none.
    pub fn room(&self, bytes: usize) -> Option<Room> {
        let kibibytes = u32::try_from(bytes.div_ceil(1 << 10)).ok()?;
        let room = Arc::clone(&self.waiting_room).try_acquire_many_owned(kibibytes).ok()?;
        Some(Room { _kibibytes: Arc::new(room) })
    }

    /// Makes a whole call and reads the whole answer. A call that nothing came of is made once more,
    /// if the budget allows: for embeddings that changes nothing at the provider. Dropping the future
    /// closes the connection.
    pub async fn call(&self, permit: Permit, call: Call) -> Result<Answer, Error> {
        let started = Instant::now();
        self.retries.earn();
        let calling = async {
            match self.exchange(&permit, call.clone()).await {
                Err(error) if error.kind == Kind::UpstreamUnreachable => {
                    let chance = u64::from(started.elapsed().subsec_nanos());
                    let Some(wait) = self.retries.spend(chance) else { return Err(error) };
                    self.metrics.retries.inc();
                    sleep(wait).await;
                    self.exchange(&permit, call).await
                }
                result => result,
            }
        };
        let result = timeout(self.settings.total_timeout, calling).await;
        let mut result = result.unwrap_or_else(|_: Elapsed| Err(self.late("a whole answer")));
        if let Ok(answer) = &mut result {
            answer.took = started.elapsed();
        }
        let called = match &result {
            Ok(answer) => Called::Answered(answer.status.as_u16()),
            Err(error) => Called::Failed(error_type(error)),
        };
        self.metrics.called(Operation::Embed, called, started.elapsed());
        result
    }

    async fn exchange(&self, permit: &Permit, call: Call) -> Result<Answer, Error> {
        let mut request =
            Request::new(Full::new(call.body).map_err(|never| match never {}).boxed_unsync());
        *request.method_mut() = Method::POST;
        *request.headers_mut() = call.headers;
        request.headers_mut().remove(header::CONTENT_ENCODING);
        // Vectors hardly compress, and a provider on the next desk should not try.
        let identity = HeaderValue::from_static("identity");
        request.headers_mut().insert(header::ACCEPT_ENCODING, identity);
        let way = (&self.pools.calls, permit);
        let response = self.send(way, request, &call.path_and_query).await?;
        let (head, body) = response.into_parts();
        let limit = self.settings.max_reply.as_usize();
        let body =
            Limited::new(body, limit).collect().await.map_err(|error| self.cut(error.as_ref()))?;
        let (mut headers, body) = (head.headers, body.to_bytes());
        let coding = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let Some(coding) = coding else {
            return Ok(Answer { status: head.status, headers, body, took: Duration::ZERO });
        };
        let body = codec::decode(coding, body, limit).await.map_err(|_| {
            Error::new(Kind::UpstreamInvalid, "the provider's answer does not decompress")
        })?;
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
        Ok(Answer { status: head.status, headers, body, took: Duration::ZERO })
    }

    /// Passes a request on under a permit and gives the answer's head; both bodies stream.
    pub async fn open(
        &self,
        permit: &Permit,
        (request, path_and_query): (Request<RequestBody>, &str),
        operation: Operation,
    ) -> Result<Response<Incoming>, Error> {
        let started = Instant::now();
        // A connection that may become another protocol is one for itself.
        let switches = request.headers().contains_key(header::UPGRADE);
        let pool = if switches { &self.pools.switches } else { &self.pools.calls };
        let result = self.send((pool, permit), request, path_and_query).await;
        let called = match &result {
            Ok(response) => Called::Answered(response.status().as_u16()),
            Err(error) => Called::Failed(error_type(error)),
        };
        self.metrics.called(operation, called, started.elapsed());
        result
    }

    async fn send(
        &self,
        (pool, Permit { admission, .. }): (&pool::Pool, &Permit),
        mut request: Request<RequestBody>,
        path_and_query: &str,
    ) -> Result<Response<Incoming>, Error> {
        *request.uri_mut() = self.uri(path_and_query)?;
        // A client's version is its own hop's: the connection's is decided by ALPN.
        *request.version_mut() = Version::HTTP_11;
        let response = timeout(self.settings.first_byte_timeout, pool.request(request)).await;
        match response {
            Ok(Ok(response)) => {
                admission.answered();
                Ok(response)
            }
            Ok(Err(error)) => {
                if !is_callers(&error) {
                    admission.failed(Instant::now());
                }
                Err(self.unreachable(&error))
            }
            Err(Elapsed { .. }) => {
                admission.failed(Instant::now());
                Err(self.late("the head of an answer"))
            }
        }
    }

    /// The URL of a path below the base. Scheme, host and port are the configuration's, always.
    fn uri(&self, path_and_query: &str) -> Result<Uri, Error> {
        let path = format!("{}{path_and_query}", self.base_path);
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|_| Error::new(Kind::BadRequest, "the path is not one that a URL can have"))
    }

    fn broken(&self, left: Duration) -> Error {
        let message = format!("{} does not answer, and is not called for a moment", self.name);
        let error = Error::new(Kind::CircuitOpen, message);
        Error { retry_after: Some(left), ..error }
    }

    fn late(&self, what: &str) -> Error {
        Error::new(Kind::UpstreamTimeout, format!("{} did not give {what} in time", self.name))
    }

    fn cut(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        tracing::warn!(upstream = self.name, error = innermost(error), "an answer was cut short");
        Error::new(Kind::UpstreamInvalid, format!("the answer of {} was cut short", self.name))
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        let reason = innermost(error);
        tracing::warn!(upstream = self.name, error = reason, "a call failed");
        let message = format!("{} could not be reached: {reason}", self.name);
        Error::new(Kind::UpstreamUnreachable, message)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether a path segment is a version: `v1`, `v1beta`.
pub fn is_version(segment: &str) -> bool {
    let mut chars = segment.chars();
    chars.next() == Some('v')
        && chars.next().is_some_and(|c| c.is_ascii_digit())
        && chars.all(|c| c.is_ascii_alphanumeric())
}

/// Whether a call failed for its own body, which the caller did not send to its end.
fn is_callers(error: &client::legacy::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>());
    cause.is_some_and(hyper::Error::is_user)
}

/// The cause at the bottom, which says what happened; those above say where.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn error_type(error: &Error) -> &'static str {
    match error.kind {
        Kind::UpstreamTimeout => "provider_timeout",
        Kind::UpstreamUnreachable => "provider_unreachable",
        Kind::UpstreamInvalid => "provider_invalid",
        _ => "_OTHER",
    }
}
