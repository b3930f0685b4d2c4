//! Asks a running sidecar's admin listener.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Collected};
use tokio::time::timeout;

use super::Failure;
use super::columns::printable;
use super::connect::connect;
use super::variables::reachable;
use crate::config::Config;
use crate::key::Digest;
use crate::metrics::Operation;
use crate::upstream::{Answer, Call, Coming, Permit, Ticket, Upstream};

/// Maximum time until a listener answers whether it is there. Requests that take longer have their own times.
const PATIENCE: Duration = Duration::from_secs(5);

/// The end of the error where nothing listens.
const REFUSED: &str = ": connection refused";

/// The body of the health check.
const WELL: &[u8] = b"ok\n";

/// The part of `/api/stats` that has the proxy's URL.
#[derive(serde::Deserialize)]
struct Identity {
    proxy: String,
}

/// The admin listener of a configuration's sidecar.
pub(super) struct Admin {
    upstream: Arc<Upstream>,
    headers: HeaderMap,
    address: String,
    /// The flag, variable or line that the token is from.
    token_place: Option<String>,
}

impl Admin {
    /// A client that connects with the first request.
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        let address = config.server.admin_listen.to_string();
        let upstream = connect("admin", &format!("http://{address}")).map_err(Failure::Running)?;
        let mut headers = HeaderMap::new();
        let token = config.server.admin_token.expose();
        if !token.is_empty() {
            let shown = HeaderValue::try_from(format!("Bearer {token}"));
            let wrong =
                |_| Failure::Usage("server.admin_token: cannot stand in a header".to_owned());
            headers.insert(header::AUTHORIZATION, shown.map_err(wrong)?);
        }
        let place = || config.sources.place("server.admin_token").to_owned();
        let token_place = (!token.is_empty()).then(place);
        Ok(Self { upstream, headers, address, token_place })
    }

    /// The URL for the sidecar's applications; none if no sidecar listens.
    pub(super) async fn proxy(&self) -> Result<Option<String>, Failure> {
        let Some(answer) = self.ask(Method::GET, "/api/stats?since=9e99").await? else {
            return Ok(None);
        };
        let body = self.good(answer)?;
        let identity: Option<Identity> = serde_json::from_slice(&body).ok();
        let proxy = identity.and_then(|identity| reachable(&identity.proxy));
        let strange = || Failure::Running(format!("the server at {} is not larder", self.address));
        proxy.map(Some).ok_or_else(strange)
    }

    /// The address of the listener.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The resource at a path.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        self.send(Method::GET, path).await
    }

    /// The response to a method at a path.
    pub(super) async fn send(&self, method: Method, path: &str) -> Result<Bytes, Failure> {
        let answer = self.ask(method, path).await?.ok_or_else(|| self.absent())?;
        self.good(answer)
    }

    /// The status and the body at a path; none if no sidecar listens.
    pub(super) async fn look(&self, path: &str) -> Result<Option<(StatusCode, Bytes)>, Failure> {
        let answer = self.ask(Method::GET, path).await?;
        Ok(answer.map(|answer| (answer.status, answer.body)))
    }

    /// A stream of server-sent events, with the permit that is held to its end.
    pub(super) async fn events(&self, path: &str) -> Result<(Coming, Permit), Failure> {
        if !self.is_there().await? {
            return Err(self.absent());
        }
        let mut call = self.call(Method::GET, path);
        call.headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        let opened = self.upstream.open_in_turn(&ticket(), &call, Operation::Relay).await;
        let (response, permit) = opened.map_err(|_| self.absent())?;
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            return Ok((body, permit));
        }
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        Err(self.refused(head.status, &body))
    }

    /// The failure of a command that needs a sidecar, where none listens.
    pub(super) fn absent(&self) -> Failure {
        Failure::Running(format!(
            "no sidecar listens at {}: start one with `larder serve`, or name its admin address \
             with --admin-listen",
            self.address
        ))
    }

    /// Any response; none if no sidecar listens.
    async fn ask(&self, method: Method, path: &str) -> Result<Option<Answer>, Failure> {
        if !self.is_there().await? {
            return Ok(None);
        }
        Ok(self.upstream.call_in_turn(&ticket(), self.call(method, path)).await.ok())
    }

    /// Whether a sidecar listens. A server that is silent, or is another one, is an error.
    async fn is_there(&self) -> Result<bool, Failure> {
        let address = &self.address;
        let ticket = ticket();
        let asking = self.upstream.call_in_turn(&ticket, self.call(Method::GET, "/healthz"));
        let failed = |text: String| Err(Failure::Running(format!("{address} {text}")));
        let answer = match timeout(PATIENCE, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.message.ends_with(REFUSED) => return Ok(false),
            Ok(Err(error)) => return failed(format!("is not larder's admin listener: {error}")),
            Err(_) => {
                let text = "accepts connections and does not answer within 5 s: it is not larder, or a \
                    larder that hangs; its log has the reason";
                return failed(text.to_owned());
            }
        };
        if answer.status.is_success() && answer.body == WELL {
            return Ok(true);
        }
        let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.map(|kind| format!(" {}", printable(kind))).unwrap_or_default();
        let status = answer.status.as_u16();
        failed(format!("is not larder: it answered {status}{kind}"))
    }

    fn call(&self, method: Method, path: &str) -> Call {
        Call {
            method,
            path_and_query: path.to_owned(),
            headers: self.headers.clone(),
            body: Bytes::new(),
            cause: None,
        }
    }

    /// The body of a response, unless it is a refusal.
    fn good(&self, answer: Answer) -> Result<Bytes, Failure> {
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        Err(self.refused(answer.status, &answer.body))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        if status == StatusCode::UNAUTHORIZED {
            return Failure::Running(self.unauthorized());
        }
        let message = String::from_utf8_lossy(body).trim().to_owned();
        if status == StatusCode::BAD_REQUEST {
            return Failure::Usage(message);
        }
        Failure::Running(format!("{}: {status}: {message}", self.address))
    }
}

impl Admin {
    /// The message of a sidecar with another admin token.
    fn unauthorized(&self) -> String {
        let address = &self.address;
        match &self.token_place {
            None => format!(
                "the sidecar at {address} needs its admin token: set LARDER_ADMIN_TOKEN, pass \
                 --admin-token, or name its configuration file with --config"
            ),
            Some(place) => format!(
                "the sidecar at {address} has another admin token than the one of {place}: correct \
                 it there, or set LARDER_ADMIN_TOKEN"
            ),
        }
    }
}

fn ticket() -> Ticket {
    Ticket::patient(Digest::of(b"admin"))
}
