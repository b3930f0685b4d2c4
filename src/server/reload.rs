//! A new configuration for a running process. It is read and built whole before anything changes; what
//! is wrong with it changes nothing. Providers that stay as they were keep their connections; entries,
//! flights and whatever is under way are not touched.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Failure;
use super::build::{self, Built, least_for_bodies, proxy};
use super::tls::{self, Encryption, Tls};
use crate::clock::unix_seconds;
use crate::config::Config;
use crate::gate::{Current, Proxy};

/// Reads the configuration anew; an error says what is wrong with it.
pub type Read = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// The running configuration, and what is built from it.
pub(super) struct Live {
    read: Read,
    running: Mutex<(Config, Built)>,
    current: Arc<Current>,
    tls: Arc<Tls>,
}

impl Live {
    /// A running configuration, and what replaces parts of what serves it.
    pub(super) fn new(
        read: Read,
        running: (Config, Built),
        (current, tls): (Arc<Current>, Arc<Tls>),
    ) -> Self {
        running.1.metrics.reloaded(true, unix_seconds());
        Self { read, running: Mutex::new(running), current, tls }
    }

    /// Applies the configuration as it is written now. Returns the keys that changed, as text.
    pub(super) fn reload(&self) -> Result<String, String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let (config, built) = &*running;
        let metrics = built.metrics.clone();
        let next = match self.next(config, built) {
            Ok(next) => next,
            Err(error) => {
                metrics.reloaded(false, unix_seconds());
                tracing::error!(error, "reload failed; the running configuration is unchanged");
                return Err(error);
            }
        };
        let report = Report::new(config, &next);
        self.current.set(next.proxy);
        self.tls.set(next.encryption);
        *running = (next.config, next.built);
        metrics.reloaded(true, unix_seconds());
        report.log();
        Ok(report.to_string())
    }

    /// Reads and builds everything before anything changes.
    fn next(&self, config: &Config, built: &Built) -> Result<Next, String> {
        let written = (self.read)()?;
        if let Some(lost) = config.lost_upstream(&written) {
            return Err(lost.to_string());
        }
        let next = config.reloaded(&written);
        let placed = |failure: Failure| failure.placed(&written.sources);
        let rebuilt = built.rebuild(config, &next).map_err(placed)?;
        let proxy = proxy(&next, &rebuilt).map_err(placed)?;
        let encryption = tls::read(&next.server).map_err(placed)?;
        Ok(Next {
            waiting: next.changes(&written),
            config: next,
            built: rebuilt,
            proxy,
            encryption,
        })
    }
}

/// A configuration that can replace the running one.
struct Next {
    config: Config,
    built: Built,
    proxy: Proxy,
    encryption: Encryption,
    /// The keys that need a restart.
    waiting: Vec<String>,
}

/// The changes of a reload, compared with the running configuration.
struct Report {
    applied: String,
    waiting: String,
    /// Whether the largest body does not fit the memory for bodies, which a restart raises.
    is_tight: bool,
}

impl Report {
    fn new(running: &Config, next: &Next) -> Self {
        let server = &next.config.server;
        let is_tight = least_for_bodies(server) > server.max_in_flight.as_usize();
        let applied = running.changes(&next.config).join(", ");
        let applied = if applied.is_empty() { "nothing".to_owned() } else { applied };
        Self { applied, waiting: next.waiting.join(", "), is_tight }
    }

    fn log(&self) {
        tracing::info!(applied = self.applied, "configuration reloaded");
        if !self.waiting.is_empty() {
            tracing::warn!(keys = self.waiting, "these changes need a restart");
        }
        if self.is_tight {
            tracing::warn!(
                "server.max_body is more than a quarter of server.max_in_flight, which a restart raises"
            );
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reloaded\napplied: {}", self.applied)?;
        if !self.waiting.is_empty() {
            write!(f, "\nneeds a restart: {}", self.waiting)?;
        }
        Ok(())
    }
}

impl Built {
    /// What a new configuration makes of what is there.
    fn rebuild(&self, old: &Config, new: &Config) -> Result<Self, Failure> {
        let mut upstreams = HashMap::new();
        let same_auth = old.access.auth == new.access.auth;
        for (name, provider) in &new.providers {
            let kept = self.upstreams.get(name);
            let kept = kept.filter(|_| same_auth && old.providers.get(name) == Some(provider));
            let upstream = if let Some(upstream) = kept {
                Arc::clone(upstream)
            } else {
                let shared = (&self.answers, &*self.ledger);
                let around = build::around((name, provider), &self.metrics, shared);
                let upstream = build::upstream(name, provider, around)?;
                // Whether providers are called is not a matter of a reload.
                let new = (new, old.server.mode);
                build::finished(upstream, new, &self.service.secret)
            };
            upstreams.insert(name.clone(), upstream);
        }
        let service = build::configure(&self.service, new)?;
        Ok(Self { service: Arc::new(service), upstreams, ..self.clone() })
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
