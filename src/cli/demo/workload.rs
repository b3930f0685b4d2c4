//! The workload: a miss, a hit, a partial hit, two bursts, a chat, its replay, and one that is shared.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::task::JoinSet;

use super::super::connect::connect;
use super::super::items::items;
use super::table::Step;
use crate::key::Digest;
use crate::metrics::Operation;
use crate::simulate::Snapshot;
use crate::upstream::{Answer, Call, Ticket, Upstream};

/// A client of the sidecar, and of the provider for its counts.
#[derive(Clone)]
struct Client {
    sidecar: Arc<Upstream>,
    provider: Arc<Upstream>,
}

pub(super) async fn run(sidecar: SocketAddr, provider: SocketAddr) -> Result<Vec<Step>, String> {
    let client = Client {
        sidecar: connect("demo", &format!("http://{sidecar}/v1"))?,
        provider: connect("demo", &format!("http://{provider}"))?,
    };
    let texts =
        |range: std::ops::Range<u32>| range.map(|n| format!("text {n}")).collect::<Vec<_>>();
    let one = |text: String| embed(&[text]);
    Ok(vec![
        client.step("8 texts, new", vec![embed(&texts(0..8))]).await?,
        client.step("the same 8 texts", vec![embed(&texts(0..8))]).await?,
        client.step("8 known, 4 new", vec![embed(&texts(0..12))]).await?,
        client.step("100 × one new text, at once", vec![one("burst".to_owned()); 100]).await?,
        client
            .step("64 new texts, at once", texts(100..164).into_iter().map(one).collect())
            .await?,
        client.step("a chat, streamed", vec![chat("larders")]).await?,
        client.step("the same chat, replayed", vec![chat("larders")]).await?,
        client.step("10 × one new chat, at once", vec![chat("cellars"); 10]).await?,
    ])
}

type Asked = (&'static str, Bytes);

fn embed(texts: &[String]) -> Asked {
    let body = json!({ "model": "text-embedding-3-small", "input": texts });
    ("/embeddings", Bytes::from(body.to_string()))
}

fn chat(about: &str) -> Asked {
    let messages = json!([{ "role": "user", "content": format!("Tell me about {about}.") }]);
    let body =
        json!({ "model": "gpt-4.1", "messages": messages, "temperature": 0, "stream": true });
    ("/chat/completions", Bytes::from(body.to_string()))
}

impl Client {
    /// Asks all at once, and says what came of it.
    async fn step(&self, what: &'static str, asked: Vec<Asked>) -> Result<Step, String> {
        let before = self.counts().await?;
        let started = Instant::now();
        let mut asking = JoinSet::new();
        for one in asked {
            asking.spawn(self.clone().ask(one));
        }
        let answers = asking.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let took = started.elapsed();
        let after = self.counts().await?;
        Ok(Step {
            what,
            cache: summary(&answers),
            calls: after.requests - before.requests,
            inputs: after.inputs - before.inputs,
            took,
        })
    }

    async fn ask(self, (path, body): Asked) -> Result<Answer, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (method, path_and_query) = (Method::POST, path.to_owned());
        let call = Call { method, path_and_query, headers, body, cause: None };
        let ticket = Ticket::patient(Digest::of(b"demo"));
        let answer = self.sidecar.call_in_turn(&ticket, call).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status.is_success() { Ok(answer) } else { Err(format!("{}", answer.status)) }
    }

    async fn counts(&self) -> Result<Snapshot, String> {
        let (method, path_and_query) = (Method::GET, "/__stats".to_owned());
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let call = Call { method, path_and_query, headers, body, cause: None };
        let ticket = Ticket::patient(Digest::of(b"demo"));
        let answer = self.provider.open_in_turn(&ticket, &call, Operation::Relay).await;
        let (response, _permit) = answer.map_err(|error| error.to_string())?;
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}

/// What the answers' headers say, added up.
fn summary(answers: &[Answer]) -> String {
    let all = answers.iter().filter_map(|answer| items(&answer.headers));
    let [hit, collapsed, miss] = all.fold([0; 3], |[a, b, c], [x, y, z]| [a + x, b + y, c + z]);
    if hit + collapsed + miss > 0 {
        return format!("hit={hit}, collapsed={collapsed}, miss={miss}");
    }
    let status = answers.first().and_then(|answer| answer.headers.get("cache-status"));
    status.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
