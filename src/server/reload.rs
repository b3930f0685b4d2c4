//! A new configuration for a running process. It is read and built whole before anything changes; what
//! is wrong with it changes nothing. Providers that stay as they were keep their connections; entries,
//! flights and whatever is under way are not touched.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Failure;
use super::build::{self, Built, proxy};
use super::tls::{self, Tls};
use crate::clock::unix_seconds;
use crate::config::Config;
use crate::gate::Current;

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

    /// Takes the configuration over as it is now written.
    pub(super) fn reload(&self) -> Result<(), String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let (config, built) = &*running;
        let metrics = built.metrics.clone();
        let next = (self.read)().and_then(|next| {
            let placed = |failure: Failure| failure.placed(&next.sources);
            let rebuilt = built.rebuild(config, &next).map_err(placed)?;
            let proxy = proxy(&next, &rebuilt).map_err(placed)?;
            let encryption = tls::read(&next.server).map_err(placed)?;
            Ok((next, rebuilt, proxy, encryption))
        });
        match next {
            Ok((next, rebuilt, proxy, encryption)) => {
                tell_what_waits(config, &next);
                self.current.set(proxy);
                self.tls.set(encryption);
                *running = (next, rebuilt);
                metrics.reloaded(true, unix_seconds());
                tracing::info!("configuration reloaded");
                Ok(())
            }
            Err(error) => {
                metrics.reloaded(false, unix_seconds());
                tracing::error!(error, "reload failed; the running configuration is unchanged");
                Err(error)
            }
        }
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
                let around = build::around(name, &self.metrics, shared);
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

/// Tells which sections have changes that a restart is needed for.
fn tell_what_waits(old: &Config, new: &Config) {
    let mut server = new.server.clone();
    server.default_provider.clone_from(&old.server.default_provider);
    server.eager = old.server.eager;
    server.max_body = old.server.max_body;
    server.tls_cert.clone_from(&old.server.tls_cert);
    server.tls_key.clone_from(&old.server.tls_key);
    server.body_timeout = old.server.body_timeout;
    let mut log = new.log.clone();
    log.requests = old.log.requests;
    let fixed = |config: &Config| (config.cache.memory, config.cache.secret.clone());
    let waiting = [
        ("server", server != old.server),
        ("cache", fixed(old) != fixed(new)),
        ("disk", old.disk != new.disk),
        ("prices", old.prices != new.prices),
        ("redis", old.redis != new.redis),
        ("log", old.log != log),
        ("metrics", old.metrics != new.metrics),
        ("traces", old.traces != new.traces),
    ];
    // The room for bodies stays, and the largest must find some in it.
    if new.server.max_body.as_usize().saturating_mul(2) > old.server.max_in_flight.as_usize() {
        tracing::warn!(
            "server.max_body is more than half of server.max_in_flight, which a restart raises"
        );
    }
    for (section, _) in waiting.into_iter().filter(|(_, changed)| *changed) {
        tracing::warn!(section, "this section has changes that need a restart");
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
