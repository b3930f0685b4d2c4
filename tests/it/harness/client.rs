//! A keep-alive HTTP client that tells everything about an answer.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::{Ask, PATIENCE};

/// An answer, whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// How many of its vectors were there.
    pub(crate) fn hits(&self) -> usize {
        let items = self.header("x-larder-items");
        let hits = items.strip_prefix("hit=").and_then(|items| items.split(',').next());
        hits.map_or(0, |hits| hits.parse().unwrap())
    }

    /// Whether it is an error that larder made, in `OpenAI`'s shape.
    pub(crate) fn is_own_error(&self, status: u16, code: &str) -> bool {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let error = &body["error"];
        self.status == status
            && self.header("x-larder-error") == code
            && error["code"] == code
            && error["type"] == "larder_error"
            && error["message"].is_string()
            && error["param"].is_null()
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    server: SocketAddr,
    patience: Duration,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Self { pool, server, patience: PATIENCE }
    }

    /// Speaks HTTP/2 without being told.
    pub(crate) fn h2(server: SocketAddr) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).http2_only(true).build_http();
        Self { pool, server, patience: PATIENCE }
    }

    /// Waits longer than anything else in the tests.
    pub(crate) fn patient(self) -> Self {
        Self { patience: 10 * PATIENCE, ..self }
    }

    pub(crate) async fn try_send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let exchange = async {
            let answer = self.pool.request(request).await.map_err(|e| format!("{e:?}"))?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(|e| format!("{e:?}"))?.to_bytes();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        timeout(self.patience, exchange).await.map_err(|_| "no answer in time".to_owned())?
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let uri = format!("http://{}{path}", self.server);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.try_send(request.body(Full::new(body.into())).unwrap()).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Asks somebody who may be gone before the answer.
    pub(crate) async fn try_embed(&self, ask: &Ask) -> Result<Answer, String> {
        let uri = format!("http://{}{}", self.server, ask.path);
        let request = Request::post(uri).header("content-type", "application/json");
        self.try_send(request.body(Full::new(ask.body().into())).unwrap()).await
    }

    /// Asks for a model's words.
    pub(crate) async fn chat(&self, body: &serde_json::Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, "/v1/chat/completions", &headers, body.to_string()).await
    }

    pub(crate) async fn embed(&self, ask: &Ask) -> Answer {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(ask.headers.iter().map(|(name, value)| (*name, value.as_str())));
        self.send(Method::POST, &ask.path, &headers, ask.body()).await
    }

    /// Asks, holds the answer against the right one, and gives it.
    pub(crate) async fn right(&self, ask: &Ask) -> Answer {
        let answer = self.embed(ask).await;
        ask.check(&answer);
        answer
    }
}
