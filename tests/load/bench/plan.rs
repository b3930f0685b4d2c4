//! What is to be done, with nothing left open.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderValue, Uri};

use super::Failure;
use super::args::Common;
use super::arrivals::Arrivals;
use super::catalogue::Catalogue;
use super::limits::Limits;
use super::question::Form;
use super::target::Target;
use super::truth::Verify;
use super::workload::{Kind, Size, Workload};

/// Bursts a second, where nothing is said of the rate.
const BURSTS: f64 = 2.0;

/// A run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) targets: Vec<Target>,
    pub(crate) work: Arc<Workload>,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    /// Requests a second, in an open loop.
    pub(crate) rate: Option<f64>,
    /// The longest and most of one block.
    pub(crate) time: Option<Duration>,
    pub(crate) requests: u64,
    pub(crate) rounds: u32,
    pub(crate) size: Size,
    pub(crate) credential: HeaderValue,
    pub(crate) upstream_stats: Option<Uri>,
    pub(crate) verify: Option<Verify>,
    pub(crate) tolerance: f64,
    pub(crate) timeout: Duration,
    pub(crate) json: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
    pub(crate) limits: Limits,
}

impl Plan {
    /// Takes over what was asked for.
    pub(crate) fn new(
        common: Common,
        (kind, seed): (Kind, u64),
        catalogue: Catalogue,
    ) -> Result<Self, Failure> {
        let model = if kind == Kind::Stream { "gpt-4.1-mini" } else { "text-embedding-3-small" };
        let form = Form {
            model: common.model.unwrap_or_else(|| model.to_owned()),
            dimensions: common.dimensions,
            encoding: common.encoding,
        };
        let crowd = common.connections as u64;
        let size = Size { seed, inputs: common.inputs, crowd, skew: common.skew };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let rounds = common.rounds as u64;
        let bursts = (kind == Kind::Burst).then_some(BURSTS * crowd as f64);
        Ok(Self {
            targets: different(common.targets)?,
            work: Arc::new(Workload::new(kind, form, catalogue, size)),
            connections: common.connections,
            threads: common.threads.unwrap_or((cores / 2).max(1)).min(common.connections),
            rate: common.rate.or(bursts),
            time: common.requests.is_none().then(|| common.duration / rounds as u32),
            requests: common.requests.map_or(u64::MAX, |all| (all as u64).div_ceil(rounds)),
            rounds: rounds as u32,
            size,
            credential: credential(&common.api_key_env)?,
            upstream_stats: common.upstream_stats,
            verify: common.verify,
            tolerance: common.tolerance,
            timeout: common.timeout,
            json: common.json,
            html: common.html,
            limits: common.limits,
        })
    }

    /// When the requests of a round are due, if that does not depend on the answers.
    pub(crate) fn arrivals(&self, round: u32) -> Option<Arrivals> {
        let rate = self.rate?;
        let arrivals = if self.work.kind == Kind::Burst {
            Arrivals::bursts(rate, self.size.crowd)
        } else {
            Arrivals::poisson(rate, self.size.seed ^ u64::from(round))
        };
        Some(arrivals.until(self.requests, self.time.unwrap_or(Duration::MAX)))
    }
}

/// A seed that no run had before.
pub(crate) fn any_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Milliseconds: short enough to be typed again.
    since.as_millis() as u64
}

fn different(targets: Vec<Target>) -> Result<Vec<Target>, Failure> {
    for (place, target) in targets.iter().enumerate() {
        if targets.iter().skip(place + 1).any(|other| other.name == target.name) {
            let name = &target.name;
            return Err(Failure::Usage(format!("--target: two of them are called {name:?}")));
        }
    }
    Ok(targets)
}

/// The key as a header; without one, something that no provider takes and every stand-in does.
fn credential(variable: &str) -> Result<HeaderValue, Failure> {
    let key = env::var(variable).unwrap_or_else(|_| "larder-bench".to_owned());
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.trim())).map_err(|_| {
        Failure::Usage(format!("{variable} (--api-key-env) is not fit for a header"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}
