//! Connections to one provider, and the clients over them.

mod arriving;
mod connect;
mod counted;
mod idle;
mod line;
mod plain;
mod resend;
mod tls;
mod warm;

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header, uri::Scheme};
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::sleep;

pub(super) use arriving::Arriving;
use connect::Connector;
use plain::Plain;
use tls::Trusted;

use super::upload::Upload;
use crate::config::Provider;
use crate::metrics::UpstreamMetrics;

/// What can go wrong with a call or with its body, whoever sends it.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request body on its way to a provider: all of it, or as it comes.
pub type RequestBody = Either<Full<Bytes>, Upload>;

/// The clients of one provider, made when the first call needs them: most providers that are built in are
/// never called, and hold no room for them. The number of calls at once is bounded by permits, above.
pub(super) struct Pools(LazyLock<Box<Opened>, Opening<Box<Opened>>>);

type Opening<T> = Box<dyn FnOnce() -> T + Send>;

struct Opened {
    /// Whole requests to a provider without TLS, which is one on the next desk.
    plain: Option<Plain>,
    /// Other calls: keeps connections as the settings say, HTTP/1.1 or HTTP/2 by ALPN.
    calls: Client<Connector, RequestBody>,
    /// What opens connections for those.
    connector: Connector,
    /// At the most.
    most: usize,
    /// For what becomes another protocol, which only a connection over HTTP/1.1 can.
    switches: Client<Connector, RequestBody>,
}

impl Pools {
    /// An error says what is wrong with the settings.
    pub(super) fn of(provider: &Provider, metrics: &UpstreamMetrics) -> Result<Self, String> {
        let trusted = tls::trusted(provider)?;
        let (provider, metrics) = (provider.clone(), metrics.clone());
        Ok(Self(LazyLock::new(Box::new(move || {
            Box::new(Opened::new(&provider, trusted, &metrics))
        }))))
    }

    /// Sends a request to where its URL says, over a connection that is there or a new one. A request that
    /// the provider has provably not processed is sent again.
    pub(super) async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Arriving>, BoxError> {
        tell_empty(&mut request);
        let client = match (&self.0.plain, request.body()) {
            // A connection that may become another protocol is one for itself.
            _ if request.headers().contains_key(header::UPGRADE) => {
                let response = Box::pin(self.0.switches.request(request)).await?;
                return Ok(response.map(Arriving::by_itself));
            }
            (Some(plain), Either::Left(body)) if request.uri().scheme() == Some(&Scheme::HTTP) => {
                let body = body.clone().into_inner().unwrap_or_default();
                let to = (request.method(), request.uri());
                // Boxed, since it is long, and is moved about with the states of all who call.
                return Box::pin(plain.send(to, request.headers(), body)).await;
            }
            _ => &self.0.calls,
        };
        // Boxed, since it has room for a copy of the request, and is moved about with the states of all callers.
        let response = Box::pin(send_until_processed(client, request)).await?;
        Ok(framed(response).map(Arriving::by_itself))
    }
}

/// Gives a request without a body its length, where the method would let it have one (RFC 9110, section 8.6).
/// hyper writes none by itself, and strict servers answer 411.
fn tell_empty(request: &mut Request<RequestBody>) {
    let has_meaning = [Method::POST, Method::PUT, Method::PATCH].contains(request.method());
    if has_meaning && request.body().is_end_stream() {
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

async fn send_until_processed(
    client: &Client<Connector, RequestBody>,
    mut request: Request<RequestBody>,
) -> Result<Response<Incoming>, BoxError> {
    for attempt in 1..=resend::MOST {
        let Some(copy) = resend::copy(&request) else { break };
        let method = copy.method().clone();
        match client.request(request).await.map_err(BoxError::from) {
            Err(error) if resend::may_resend(&error, &method) => request = copy,
            result => return result,
        }
        sleep(resend::PAUSE * attempt).await;
    }
    Ok(client.request(request).await?)
}

/// A response without the length that a transfer coding overrides (RFC 9112, section 6.3). A client that is
/// told the length would take the first bytes for the whole.
fn framed(mut response: Response<Incoming>) -> Response<Incoming> {
    if response.headers().contains_key(header::TRANSFER_ENCODING) {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

impl Opened {
    fn new(provider: &Provider, mut trusted: Trusted, metrics: &UpstreamMetrics) -> Self {
        let has_tls = provider.has_tls();
        if has_tls {
            trusted.roots.extend(tls::PLATFORM.roots.iter().cloned());
        }
        let tls = tls::config(trusted);
        let connector = |http2| Connector::new(provider, (tls.clone(), http2), metrics);
        let plain = (!has_tls).then(|| Plain::new(connector(false), provider));
        let both = connector(true);
        let calls = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(provider.idle_timeout)
            .pool_max_idle_per_host(provider.idle_connections as usize)
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(Some(Duration::from_secs(30)))
            .build(both.clone());
        let switches =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector(false));
        let most = provider.max_connections as usize;
        Self { plain, calls, connector: both, most, switches }
    }
}
