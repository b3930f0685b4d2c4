//! What the provider behind the targets was asked for: the simulated provider's own counts.

use std::time::Duration;

use http::{HeaderValue, Uri};
use larder::simulate::Snapshot;
use tokio::time::timeout;

use super::connection::Connection;
use super::connector::Connector;
use super::trouble::Trouble;

/// Counts are told at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls and inputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) calls: u64,
    pub(crate) inputs: u64,
}

impl Asked {
    /// Reads the counts at a URL, such as `http://127.0.0.1:9000/__stats`.
    pub(crate) async fn read(connector: &Connector, url: &Uri) -> Result<Self, String> {
        let wrong = |what: &dyn std::fmt::Display| format!("--upstream-stats {url}: {what}");
        let nobody = HeaderValue::from_static("none");
        let mut connection = Connection::new(connector, url, &nobody);
        let path: Uri = url.path().parse().map_err(|error| wrong(&error))?;
        let fetched = timeout(PATIENCE, connection.fetch(&path)).await;
        let body = fetched.unwrap_or(Err(Trouble::TimedOut)).map_err(|trouble| wrong(&trouble))?;
        let counted: Snapshot = serde_json::from_slice(&body).map_err(|error| {
            wrong(&format_args!("not the simulated provider's counts: {error}"))
        })?;
        Ok(Self { calls: counted.requests, inputs: counted.inputs })
    }

    /// What came since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            inputs: self.inputs.saturating_sub(before.inputs),
        }
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { calls: self.calls + other.calls, inputs: self.inputs + other.inputs }
    }
}
