//! Everything behind the listeners, built from the configuration.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::Failure;
use super::kept::{self, Kept};
use crate::batch::Batcher;
use crate::broadcast::Broadcasts;
use crate::ceiling::Ceiling;
use crate::clock::Clock;
use crate::config::sharers::Sharers;
use crate::config::words::{Auth, Mode};
use crate::config::{Config, Provider, Seller, Server};
use crate::credential;
use crate::dialect;
use crate::flight::Flights;
use crate::gate::route::Routes;
use crate::gate::{Allowed, MAX_COPIES, Pages, Proxy, Recent};
use crate::headers::is_of_message;
use crate::ledger::Ledger;
use crate::metrics::{self, Metrics, Operation};
use crate::recording::Recordings;
use crate::serve::{ChatHandles, Rules, Sentinel, Service, Vouching};
use crate::tier::Ground;
use crate::tier::disk::directory::Directory;
use crate::trace::Tracer;
use crate::upstream::{Around, Standings, Upstream};

/// Everything behind the listeners.
#[derive(Debug, Clone)]
pub struct Built {
    /// The use cases.
    pub service: Arc<Service>,
    /// The providers by name.
    pub upstreams: HashMap<String, Arc<Upstream>>,
    pub(super) bodies: Arc<Ceiling>,
    pub(super) answers: Arc<Ceiling>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) recent: Arc<Recent>,
    /// What traces requests, where they are.
    pub(super) tracer: Option<Arc<Tracer>>,
    pub(super) metrics: Metrics,
    pub(super) tasks: TaskTracker,
    /// What becomes of answers, where they are recorded or replayed.
    pub(super) recordings: Option<Recordings>,
}

impl Built {
    /// The same with the recordings open that the configuration wants.
    pub(super) fn with_recordings(self, settings: &Server) -> Result<Self, Failure> {
        let opened = Recordings::open(settings.mode, &settings.recordings, &self.tasks);
        let wrong = |error| Failure::config("server.recordings", error);
        Ok(Self { recordings: opened.map_err(wrong)?, ..self })
    }
}

/// An error if recordings that are to be replayed cannot be read. Opens nothing for writing.
pub(super) fn check_recordings(settings: &Server) -> Result<(), Failure> {
    if settings.mode != Mode::Replay {
        return Ok(());
    }
    let opened = Recordings::open(settings.mode, &settings.recordings, &TaskTracker::new());
    opened.map(drop).map_err(|error| Failure::config("server.recordings", error))
}

/// Builds everything behind the listeners; opens nothing.
pub fn build(config: &Config) -> Result<Built, Failure> {
    let metrics = declared(config).map_err(|error| Failure::Start(error.to_string()))?;
    let answers = Ceiling::new(config.server.max_answers.as_usize());
    let ledger = Arc::new(Ledger::new(&metrics, &config.prices));
    let upstreams = config.providers.iter().map(|(name, provider)| {
        let around = around((name, provider), &metrics, (&answers, &ledger));
        upstream(name, provider, around).map(|upstream| (name.clone(), upstream))
    });
    let upstreams = upstreams.collect::<Result<Vec<_>, _>>()?;
    let (clock, tasks) = (Clock::start(), TaskTracker::new());
    let Kept { tiers, hasher, secret } = kept::build(config, clock, &metrics)?;
    let wanted = (config, config.server.mode);
    let finish = |(name, upstream)| (name, finished(upstream, wanted, &secret));
    let upstreams = upstreams.into_iter().map(finish);
    let embed = metrics.operation(Operation::Embed);
    let batcher = Batcher::new(Arc::clone(&tiers), clock, embed.clone(), tasks.clone());
    let service = Service {
        tiers,
        flights: Flights::new(&hasher),
        batcher,
        clock,
        ttl: None,
        stale_if_error: Duration::ZERO,
        refusals: Arc::default(),
        negative_ttl: Duration::ZERO,
        harmless: Vec::new(),
        sharers: Sharers::Credential,
        scope_required: false,
        secret,
        vouching: None,
        checks: Flights::new(&hasher),
        drift: None,
        explained: Arc::default(),
        metrics: embed,
        lookups: metrics.tier("memory"),
        chat: chat(Broadcasts::new(&hasher, &answers), tasks.clone(), &metrics),
    };
    let service = Arc::new(configure(&service, config)?);
    let (upstreams, bodies) = (upstreams.collect(), bodies(&config.server));
    Ok(Built {
        service,
        upstreams,
        bodies,
        answers,
        ledger,
        recent: Arc::default(),
        tracer: tracer(config, &metrics),
        metrics,
        tasks,
        recordings: None,
    })
}

fn declared(config: &Config) -> metrics::Result<Metrics> {
    let metrics = Metrics::new()?;
    if config.metrics.gen_ai { metrics.with_gen_ai() } else { Ok(metrics) }
}

fn tracer(config: &Config, metrics: &Metrics) -> Option<Arc<Tracer>> {
    let (settings, dropped) = (&config.traces, &metrics.traces_dropped);
    let tracer = || Tracer::new(settings.sample.0, dropped.clone());
    (!settings.endpoint.is_empty()).then(tracer)
}

fn chat(broadcasts: Arc<Broadcasts>, tasks: TaskTracker, metrics: &Metrics) -> ChatHandles {
    let (ttl, stale_if_error, reads) = (None, Duration::ZERO, metrics.reads("memory"));
    let metrics = metrics.chat("memory");
    ChatHandles { broadcasts, tasks, ttl, stale_if_error, max_transcript: 0, metrics, reads }
}

/// Memory for request bodies: as configured, but at least enough for the largest one.
fn bodies(settings: &Server) -> Arc<Ceiling> {
    Ceiling::new(settings.max_in_flight.as_usize().max(least_for_bodies(settings)))
}

/// Memory for one body of the largest size: as received, decoded, and copied.
pub(super) fn least_for_bodies(settings: &Server) -> usize {
    settings.max_body.as_usize().saturating_mul(2 + MAX_COPIES)
}

/// What a provider has in common with the others.
pub(super) fn around(
    (name, provider): (&str, &Provider),
    metrics: &Metrics,
    (answers, ledger): (&Arc<Ceiling>, &Ledger),
) -> Around {
    let seller = Seller::of(name, &provider.dialect, &provider.base_url);
    let (metrics, accounts) = (metrics.upstream(name), ledger.of(name, seller));
    Around { metrics, answers: Arc::clone(answers), accounts }
}

/// One provider, as far as it can be built before anything is opened.
pub(super) fn upstream(
    name: &str,
    provider: &Provider,
    around: Around,
) -> Result<Upstream, Failure> {
    let wrong =
        |key: &str, message: &str| Failure::config(&format!("providers.{name}.{key}"), message);
    let dialect = dialect::named(&provider.dialect);
    let dialect = dialect.ok_or_else(|| wrong("dialect", "unknown dialect"))?;
    // The address was checked with the configuration: what is left are the roots to trust.
    let key = if provider.ca_file.is_empty() { "base_url" } else { "ca_file" };
    let built = Upstream::new(name, dialect, provider.clone(), around);
    built.map_err(|message| wrong(key, &message))
}

/// The rest of it.
pub(super) fn finished(
    upstream: Upstream,
    (config, mode): (&Config, Mode),
    secret: &[u8; 32],
) -> Arc<Upstream> {
    let upstream = match config.access.auth {
        Auth::Verify => upstream.with_standings(Standings::new(*secret)),
        Auth::Off | Auth::Allowlist => upstream,
    };
    Arc::new(if mode == Mode::Replay { upstream.sealed() } else { upstream })
}

/// The same use cases as a configuration wants them.
pub(super) fn configure(service: &Service, config: &Config) -> Result<Service, Failure> {
    let cache = &config.cache;
    let harmless = cache.harmless_headers.iter().map(|name| {
        let message = || format!("{name:?} is not the name of a header");
        name.parse().map_err(|_| Failure::config("cache.harmless_headers", message()))
    });
    let lasting = |ttl: Duration| (!ttl.is_zero()).then_some(ttl);
    let chat = ChatHandles {
        ttl: lasting(cache.chat_ttl),
        stale_if_error: cache.chat_stale_if_error,
        max_transcript: cache.max_transcript.as_usize(),
        ..service.chat.clone()
    };
    let vouching =
        Vouching { every: config.access.verify_every, stale_if_error: cache.stale_if_error };
    Ok(Service {
        vouching: (config.access.auth == Auth::Verify).then_some(vouching),
        ttl: lasting(cache.ttl),
        stale_if_error: cache.stale_if_error,
        negative_ttl: cache.negative_ttl,
        harmless: harmless.collect::<Result<_, _>>()?,
        sharers: sharers(config)?,
        scope_required: cache.scope_required,
        drift: Sentinel::new(&config.drift),
        chat,
        ..service.clone()
    })
}

/// Who shares stored answers. A header that says so never reaches the provider, so it must not be one
/// that the call needs.
fn sharers(config: &Config) -> Result<Sharers, Failure> {
    match &config.cache.scope {
        Sharers::Header(name) if credential::is_header(name) || is_of_message(name) => {
            let message =
                format!("{name} is a header that provider calls need; choose another one");
            Err(Failure::config("cache.scope", message))
        }
        sharers => Ok(sharers.clone()),
    }
}

/// The cache directory of a configuration, and what its entries stand on, for whoever moves them.
pub fn cache_directory(config: &Config) -> Result<(Directory, Ground), Failure> {
    let kept::Base { directory, ground, .. } = kept::base(config, Clock::start())?;
    let missing = || Failure::config("disk.dir", "is not set; set it, or pass --cache-dir");
    Ok((directory.ok_or_else(missing)?, ground))
}

pub(super) fn proxy(config: &Config, built: &Built) -> Result<Proxy, Failure> {
    let default = built
        .upstreams
        .get(&config.server.default_provider)
        .ok_or_else(|| Failure::config("server.default_provider", "is not configured"))?;
    let allowlist = config.access.auth == Auth::Allowlist;
    let allowed = || Allowed::new(built.service.secret, &config.access);
    Ok(Proxy {
        allowed: allowlist.then(allowed),
        service: Arc::clone(&built.service),
        pages: Pages::new(config, built.upstreams.values().any(|one| one.has_own_key())),
        routes: Routes::new(built.upstreams.clone(), Arc::clone(default)),
        rules: Arc::new(Rules::new(&config.rules, &built.upstreams, &built.metrics)),
        settings: config.server.clone(),
        bodies: Arc::clone(&built.bodies),
        answers: Arc::clone(&built.answers),
        embed: Arc::new(built.metrics.operation(Operation::Embed)),
        chat: Arc::new(built.metrics.operation(Operation::Chat)),
        read: Arc::new(built.metrics.operation(Operation::Read)),
        relay: Arc::new(built.metrics.operation(Operation::Relay)),
        log_requests: config.log.requests,
        recordings: built.recordings.clone(),
        recent: Arc::clone(&built.recent),
        tracer: built.tracer.clone(),
        panics: built.metrics.panics.clone(),
        tasks: built.tasks.clone(),
    })
}
