//! `larder check`: is the configuration valid, and do its providers answer?

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::json;

use super::settings::ServeArgs;
use super::{Failure, print};
use crate::config::{BUILT_IN, BuiltIn, Config};
use crate::dialect::Endpoint;
use crate::metrics::Outcome;
use crate::serve::reply::{Content, Reply};
use crate::serve::{Ask, Target};
use crate::server::{self, Built};
use crate::upstream::Upstream;

/// Where it is asked for embeddings.
const PATH: &str = "/embeddings";

/// How long a tier may take to be there.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to check.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Ask the tiers, and call the default provider, each that is configured, and each with a key in
    /// `NAME_API_KEY`, and say what they answer
    #[arg(long)]
    probe: bool,
    /// The model that --probe asks
    #[arg(long, default_value = "text-embedding-3-small")]
    model: String,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.serve.resolve()?;
    let built = server::build(&config)?;
    server::check_certificate(&config)?;
    print(&resolved(&config))?;
    if !args.probe {
        return Ok(());
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::Running(e.to_string()))?;
    let mut failed = Vec::new();
    for (layer, took) in runtime.block_on(built.service.tiers.probe(PATIENCE)) {
        if let Some(took) = took {
            print(&format_args!("probe {}: answers in {took:.1?}", layer.label()))?;
        } else {
            failed.push(layer.label());
            print(&format_args!("probe {}: not there, or in use", layer.label()))?;
        }
    }
    for name in config.providers.keys().filter(|name| is_used(&config, name)) {
        let Some(upstream) = built.upstreams.get(name) else { continue };
        if let Endpoint::Other = upstream.dialect.endpoint(&Method::POST, PATH) {
            print(&format_args!("probe {name}: not probed, since it has no {PATH}"))?;
            continue;
        }
        let report = runtime.block_on(probe(&built, upstream, &args.model));
        if report.is_err() {
            failed.push(name.as_str());
        }
        print(&format_args!("probe {name}: {}", report.unwrap_or_else(|error| error)))?;
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Running(format!("no good answer from: {}", failed.join(", "))))
}

/// Whether somebody means to use a provider: most of those built in are not.
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

/// The configuration as it was understood. Secrets print as `***`, by their type.
fn resolved(config: &Config) -> String {
    format!("{config:#?}\nthe configuration is valid")
}

/// Asks twice: the first answer tells about the provider, the second about the cache.
async fn probe(built: &Built, upstream: &Arc<Upstream>, model: &str) -> Result<String, String> {
    let started = Instant::now();
    let first = ask(built, upstream, model).await?;
    let latency = started.elapsed();
    let dimensions = dimensions(&first)?;
    let second = ask(built, upstream, model).await?;
    let repeat = if second.verdict.outcome() == Outcome::Hit { "hits" } else { "does not hit" };
    let tls = if upstream.settings.has_tls() { "TLS verified" } else { "no TLS" };
    Ok(format!("{tls}, {latency:.1?}, {dimensions} dimensions, a repeat {repeat}"))
}

async fn ask(built: &Built, upstream: &Arc<Upstream>, model: &str) -> Result<Reply, String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let variable = key_variable(&upstream.name);
    if let Ok(key) = std::env::var(&variable) {
        let (name, scheme) = upstream.dialect.credential(PATH, &headers);
        let shown = HeaderValue::try_from(format!("{scheme}{key}"));
        let mut shown = shown.map_err(|_| format!("{variable} is no key"))?;
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
struct Answer {
    data: Vec<Item>,
}

#[derive(serde::Deserialize)]
struct Item {
    embedding: Vec<f64>,
}

fn dimensions(reply: &Reply) -> Result<usize, String> {
    let body = match &reply.content {
        Content::Written(body, _) => body,
        Content::Passed(answer) => return Err(format!("answered {}", answer.status)),
        Content::Failed(error) => return Err(error.to_string()),
        Content::Streamed(..)
        | Content::Switched(_)
        | Content::Shared(_)
        | Content::Replayed(_) => {
            return Err("answered with a stream".to_owned());
        }
    };
    let answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    answer.data.first().map(|item| item.embedding.len()).ok_or_else(|| "no vector".to_owned())
}
