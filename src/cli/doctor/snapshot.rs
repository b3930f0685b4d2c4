//! The state of a running sidecar, as its admin API reports it at one moment.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::Failure;
use super::super::admin::Admin;
use super::super::failures::Failed;
use super::super::variables::reachable;
use super::series::Series;
use crate::config::Config;

/// Everything that the rules look at.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) stats: Stats,
    /// The last requests, newest first.
    pub(super) requests: Vec<Request>,
    /// Recent requests that were not hits, newest first.
    pub(super) explanations: Vec<Explanation>,
    pub(super) series: Series,
    /// The URL for applications.
    pub(super) proxy: String,
    /// The limit `server.max_connections` of the configuration; 0 if unknown.
    pub(super) max_connections: u32,
}

/// The parts of `/api/stats` that rules look at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Stats {
    pub(super) proxy: String,
    pub(super) ready: bool,
    pub(super) responses: u64,
    pub(super) totals: Totals,
    pub(super) tiers: Vec<Tier>,
    pub(super) providers: Vec<Provider>,
    pub(super) failed: Vec<Failed>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Totals {
    pub(super) inputs: Inputs,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Inputs {
    pub(super) hit: u64,
    pub(super) collapsed: u64,
    pub(super) miss: u64,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Tier {
    #[serde(rename = "tier")]
    pub(super) name: String,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) limit_bytes: u64,
    pub(super) insertions: u64,
    pub(super) evictions: u64,
    pub(super) breaker: String,
    /// The reason why it is down.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) breaker: String,
}

/// A request of `/api/requests`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Request {
    pub(super) provider: String,
    pub(super) status: u16,
    pub(super) cache: String,
    pub(super) error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Requests {
    requests: Vec<Request>,
}

/// A request of `/api/explain`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Explanation {
    pub(super) outcome: String,
    pub(super) why: String,
    pub(super) nearest: Option<Nearest>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Nearest {
    pub(super) differs: Vec<Difference>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Difference {
    pub(super) field: String,
}

#[derive(Debug, Default, Deserialize)]
struct Explanations {
    explanations: Vec<Explanation>,
}

impl Snapshot {
    /// The state of the sidecar; none if no sidecar listens.
    pub(super) async fn take(admin: &Admin, config: &Config) -> Result<Option<Self>, Failure> {
        let Some((_, _)) = admin.look("/readyz").await? else { return Ok(None) };
        let mut stats: Stats = read(admin, "/api/stats?since=9e99").await?;
        let ready = admin.look("/readyz").await?;
        stats.ready &= ready.is_some_and(|(status, _)| status.is_success());
        let requests: Requests = read(admin, "/api/requests").await?;
        let explained: Explanations = read(admin, "/api/explain").await?;
        let metrics = admin.get("/metrics").await?;
        Ok(Some(Self {
            proxy: reachable(&stats.proxy).unwrap_or_else(|| stats.proxy.clone()),
            stats,
            requests: requests.requests,
            explanations: explained.explanations,
            series: Series::read(&String::from_utf8_lossy(&metrics)),
            max_connections: config.server.max_connections,
        }))
    }
}

async fn read<T: DeserializeOwned>(admin: &Admin, path: &str) -> Result<T, Failure> {
    let body = admin.get(path).await?;
    serde_json::from_slice(&body).map_err(|error| {
        let address = admin.address();
        Failure::Running(format!("{address}{path}: not a response of this version: {error}"))
    })
}
