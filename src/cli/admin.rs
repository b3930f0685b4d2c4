//! Asks a running sidecar's admin listener.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::Failure;
use super::connect::connect;
use super::variables::reachable;
use crate::config::Config;
use crate::key::Digest;
use crate::upstream::{Answer, Call, Ticket, Upstream};

/// What a sidecar says of itself.
#[derive(serde::Deserialize)]
struct Told {
    proxy: String,
}

/// The admin listener of the sidecar that a configuration is of.
pub(super) struct Admin {
    upstream: Arc<Upstream>,
    headers: HeaderMap,
    address: String,
}

impl Admin {
    /// Connects when it is first asked.
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
        Ok(Self { upstream, headers, address })
    }

    /// Where the sidecar's applications find it; nothing if no sidecar answers.
    pub(super) async fn proxy(&self) -> Result<Option<String>, Failure> {
        let Some(answer) = self.ask(Method::GET, "/api/stats?since=9e99").await else {
            return Ok(None);
        };
        let body = self.good(answer)?;
        let told: Option<Told> = serde_json::from_slice(&body).ok();
        let proxy = told.and_then(|told| reachable(&told.proxy));
        let strange = || Failure::Running(format!("{} is no larder's", self.address));
        proxy.map(Some).ok_or_else(strange)
    }

    /// What is at a path.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        self.send(Method::GET, path).await
    }

    /// What comes of a method at a path.
    pub(super) async fn send(&self, method: Method, path: &str) -> Result<Bytes, Failure> {
        let answer = self.ask(method, path).await.ok_or_else(|| {
            Failure::Running(format!("no larder answers at {} (--admin-listen)", self.address))
        })?;
        self.good(answer)
    }

    /// Whatever is said; nothing if nobody is there.
    async fn ask(&self, method: Method, path: &str) -> Option<Answer> {
        let call = Call {
            method,
            path_and_query: path.to_owned(),
            headers: self.headers.clone(),
            body: Bytes::new(),
            cause: None,
        };
        let ticket = Ticket::patient(Digest::of(b"admin"));
        self.upstream.call_in_turn(&ticket, call).await.ok()
    }

    /// The body of an answer, unless it is a refusal.
    fn good(&self, answer: Answer) -> Result<Bytes, Failure> {
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let said = String::from_utf8_lossy(&answer.body).trim().to_owned();
        if answer.status == StatusCode::BAD_REQUEST {
            return Err(Failure::Usage(said));
        }
        Err(Failure::Running(format!("{}: {}: {said}", self.address, answer.status)))
    }
}
