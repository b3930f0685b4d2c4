//! The probe of providers: one embedding from each that is in use.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::json;

use super::super::failures::meaning;
use super::Row;
use crate::config::{BUILT_IN, BuiltIn, Config};
use crate::dialect::Endpoint;
use crate::metrics::Outcome;
use crate::refusal::{Hidden, is_html, message, page};
use crate::serve::reply::{Content, Reply};
use crate::serve::{Ask, Target};
use crate::server::Built;
use crate::upstream::{Answer, Upstream};

const NO_EMBEDDING: &str = "the response has no embedding";

/// The path of embeddings.
const PATH: &str = "/embeddings";

/// A row for each provider that is in use.
pub(super) async fn probe(config: &Config, built: &Built, model: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, provider) in config.providers.iter().filter(|(name, _)| is_used(config, name)) {
        let Some(upstream) = built.upstreams.get(name) else { continue };
        let result = if let Endpoint::Other = upstream.dialect.endpoint(&Method::POST, PATH) {
            Ok("not probed: it has no embeddings".to_owned())
        } else {
            probe_one(built, upstream, model).await
        };
        rows.push(Row { part: name.clone(), address: provider.base_url.clone(), result });
    }
    rows
}

/// Whether a provider is in use: most of the built-in ones are not.
fn is_used(config: &Config, name: &str) -> bool {
    let built_in = BUILT_IN.iter().find(|built_in| built_in.name == name);
    let moved = |known: &BuiltIn| {
        config.providers.get(name).is_some_and(|provider| provider.base_url != known.base_url)
    };
    name == config.server.default_provider
        || built_in.is_none_or(moved)
        || std::env::var_os(key_variable(name)).is_some()
}

fn key_variable(name: &str) -> String {
    format!("{}_API_KEY", name.to_uppercase().replace('-', "_"))
}

/// Sends a request twice: the first response is the provider's, the second should be a hit.
async fn probe_one(built: &Built, upstream: &Arc<Upstream>, model: &str) -> Result<String, String> {
    let started = Instant::now();
    let first = ask(built, upstream, model).await?;
    let latency = started.elapsed();
    let dimensions = dimensions(upstream, &first)?;
    let second = ask(built, upstream, model).await?;
    let is_hit = second.verdict.outcome() == Outcome::Hit;
    let repeat = if is_hit { "a repeat hits" } else { "a repeat does not hit" };
    let tls = if upstream.settings.has_tls() { "TLS verified" } else { "no TLS" };
    Ok(format!("answers in {latency:.1?}, {tls}, {dimensions} dimensions, {repeat}"))
}

async fn ask(built: &Built, upstream: &Arc<Upstream>, model: &str) -> Result<Reply, String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let variable = key_variable(&upstream.name);
    if let Ok(key) = std::env::var(&variable) {
        let (name, scheme) = upstream.dialect.credential(PATH, &headers);
        let shown = HeaderValue::try_from(format!("{scheme}{key}"));
        let mut shown = shown.map_err(|_| format!("{variable} does not hold a key"))?;
        shown.set_sensitive(true);
        headers.insert(name, shown);
    }
    let body = json!({ "model": model, "input": "larder check" });
    let ask = Ask {
        target: Target {
            upstream: Arc::clone(upstream),
            endpoint: upstream.dialect.endpoint(&Method::POST, PATH),
            method: Method::POST,
            path_and_query: PATH.to_owned(),
            received: Instant::now(),
            trace: None,
        },
        headers,
        group: Vec::new(),
        body: Bytes::from(body.to_string()),
        rule: None,
        taping: None,
    };
    built.service.answer(&ask).await.map_err(str::to_owned)
}

#[derive(serde::Deserialize)]
struct Embeddings {
    data: Vec<Item>,
}

#[derive(serde::Deserialize)]
struct Item {
    embedding: Vec<f64>,
}

/// The reason of a provider's refusal in its words, with the remedy where the status tells it.
fn refused(upstream: &Upstream, answer: &Answer) -> String {
    if is_html(&answer.headers, &answer.body) {
        let status = answer.status.as_u16();
        let remedy = "check base_url, and the proxy and the firewall on the way";
        return format!("it responds with {status} and {}; {remedy}", page(&answer.body));
    }
    let (status, variable) = (answer.status.as_u16(), key_variable(&upstream.name));
    let remedy = match (status, upstream.settings.api_key_env.name()) {
        (401, Some(variable)) => format!("; check the key in {variable}"),
        (401, None) if std::env::var_os(&variable).is_none() => format!("; set {variable}"),
        (401, None) => format!("; check the key in {variable}"),
        (404, _) => "; name a model of this provider with --model".to_owned(),
        _ => String::new(),
    };
    let key = std::env::var(&variable).unwrap_or_default();
    let hidden = Hidden { secrets: vec![key.as_bytes()], body: None };
    let words = message(&answer.headers, &answer.body, &hidden);
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    let meaning = meaning(status).map(|text| format!(" ({text})")).unwrap_or_default();
    format!("the provider responds with {status}{meaning}{words}{remedy}")
}

fn dimensions(upstream: &Upstream, reply: &Reply) -> Result<usize, String> {
    let body = match &reply.content {
        Content::Written(body, _) => body,
        Content::Passed(answer) => return Err(refused(upstream, answer)),
        Content::Failed(error) => return Err(error.to_string()),
        Content::Streamed(..)
        | Content::Switched(_)
        | Content::Shared(_)
        | Content::Replayed(_) => {
            return Err(NO_EMBEDDING.to_owned());
        }
    };
    let answer: Option<Embeddings> = serde_json::from_slice(body).ok();
    let vector = answer.as_ref().and_then(|answer| answer.data.first());
    vector.map(|item| item.embedding.len()).ok_or_else(|| NO_EMBEDDING.to_owned())
}
