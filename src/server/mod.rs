//! The process: everything is built once from the configuration, pingora runs the listeners, and a
//! signal ends it in order.
//!
//! pingora's own way down sleeps its whole grace period, even when nothing is open. So a drain is
//! done here: the listeners stop, every connection is told, and the process leaves with the last.

mod entrance;
mod kept;
mod reload;
mod signals;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use pingora_core::server::configuration::{Opt, ServerConf};
use pingora_core::server::{RunArgs, Server};
use tokio::runtime;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::batch::Batcher;
use crate::broadcast::Broadcasts;
use crate::clock::Clock;
use crate::config::{Config, Provider};
use crate::dialect;
use crate::flight::Flights;
use crate::gate::connection::Door;
use crate::gate::route::Routes;
use crate::gate::{Admin, Budget, Current, Proxy};
use crate::metrics::{Metrics, Operation};
use crate::serve::{ChatHandles, Service};
use crate::tier::Ground;
use crate::tier::disk::directory::Directory;
use crate::upstream::Upstream;
use entrance::{App, Entrance, Opened, Shared};
use kept::Kept;
use reload::Live;
pub use reload::Read;
use signals::Signals;

/// How a process came to its end, if not well.
#[derive(Debug)]
pub enum Failure {
    /// The configuration asks for what cannot be.
    Config(String),
    /// An address is not free, or not ours.
    Bind(SocketAddr, io::Error),
    /// Something that should always work did not.
    Start(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(message) | Self::Start(message) => f.write_str(message),
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

/// The real addresses of a running sidecar.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Where applications connect.
    pub proxy: SocketAddr,
    /// Where metrics and health are.
    pub admin: SocketAddr,
}

/// Tells the real addresses.
pub type Announce = Box<dyn FnOnce(Addresses) + Send>;

/// What a caller may want of a run beside the configuration.
pub struct Run {
    /// Take the listeners over from a running process instead of opening them.
    pub upgrade: bool,
    /// Reads the configuration anew, for SIGHUP and the admin API.
    pub read: Read,
    /// Ends the run when it turns true, as SIGTERM does.
    pub stop: watch::Receiver<bool>,
    /// Told once both listeners accept.
    pub announce: Announce,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("upgrade", &self.upgrade).finish_non_exhaustive()
    }
}

/// Everything behind the listeners.
#[derive(Debug)]
pub struct Built {
    /// The use cases.
    pub service: Arc<Service>,
    /// The providers by name.
    pub upstreams: HashMap<String, Arc<Upstream>>,
    bodies: Arc<Budget>,
    metrics: Metrics,
    tasks: TaskTracker,
}

/// Builds everything behind the listeners; opens nothing.
pub fn build(config: &Config) -> Result<Built, Failure> {
    let metrics = Metrics::new().map_err(|error| Failure::Start(error.to_string()))?;
    let upstreams = config.providers.iter().map(|(name, provider)| {
        upstream(name, provider, &metrics).map(|upstream| (name.clone(), upstream))
    });
    let upstreams = upstreams.collect::<Result<_, _>>()?;
    let clock = Clock::start();
    let tasks = TaskTracker::new();
    let Kept { tiers, hasher, secret } = kept::build(config, clock, &metrics)?;
    let embed = metrics.operation(Operation::Embed);
    let batcher = Batcher::new(Arc::clone(&tiers), clock, embed.clone(), tasks.clone());
    let service = Service {
        tiers,
        flights: Flights::new(&hasher),
        batcher,
        clock,
        ttl: None,
        stale_if_error: Duration::ZERO,
        harmless: Vec::new(),
        secret,
        metrics: embed,
        lookups: metrics.tier("memory"),
        chat: ChatHandles {
            broadcasts: Broadcasts::new(&hasher),
            tasks: tasks.clone(),
            ttl: None,
            max_transcript: 0,
            metrics: metrics.chat("memory"),
        },
    };
    let service = Arc::new(configure(&service, config)?);
    let bodies = Arc::new(Budget::new(&config.server));
    Ok(Built { service, upstreams, bodies, metrics, tasks })
}

fn upstream(name: &str, provider: &Provider, metrics: &Metrics) -> Result<Arc<Upstream>, Failure> {
    let wrong = |message: String| Failure::Config(format!("providers.{name}: {message}"));
    let dialect =
        dialect::named(&provider.dialect).ok_or_else(|| wrong("an unknown dialect".to_owned()))?;
    let upstream = Upstream::new(name, dialect, provider.clone(), metrics.upstream(name));
    upstream.map(Arc::new).map_err(wrong)
}

/// The same use cases as a configuration wants them.
fn configure(service: &Service, config: &Config) -> Result<Service, Failure> {
    let cache = &config.cache;
    let harmless = cache.harmless_headers.iter().map(|name| {
        name.parse().map_err(|_| Failure::Config(format!("cache.harmless_headers: {name:?}")))
    });
    let lasting = |ttl: Duration| (!ttl.is_zero()).then_some(ttl);
    let chat = ChatHandles {
        ttl: lasting(cache.chat_ttl),
        max_transcript: cache.max_transcript.as_usize(),
        ..service.chat.clone()
    };
    Ok(Service {
        ttl: lasting(cache.ttl),
        stale_if_error: cache.stale_if_error,
        harmless: harmless.collect::<Result<_, _>>()?,
        chat,
        ..service.clone()
    })
}

/// The cache directory of a configuration, and what its entries stand on, for whoever moves them.
pub fn cache_directory(config: &Config) -> Result<(Directory, Ground), Failure> {
    let kept::Base { directory, ground, .. } = kept::base(config, Clock::start())?;
    let missing = || Failure::Config("disk.dir: is not set, and neither is --cache-dir".to_owned());
    Ok((directory.ok_or_else(missing)?, ground))
}

/// Runs the sidecar until a signal, or the caller, ends it.
pub fn run(config: &Config, run: Run) -> Result<(), Failure> {
    let built = build(config)?;
    let (draining, _) = watch::channel(false);
    let draining = Arc::new(draining);
    let current = Arc::new(Current::new(proxy(config, &built)?));
    let tiers = Arc::clone(&built.service.tiers);
    let shared = Shared {
        door: Door::new(&config.server, built.tasks.clone()),
        room: Arc::new(Semaphore::new(config.server.max_connections as usize)),
        connections: built.metrics.downstream_connections.clone(),
        tasks: built.tasks.clone(),
    };
    let tasks = built.tasks.clone();
    let metrics = built.metrics.clone();
    let live = Arc::new(Live::new(run.read, (config.clone(), built), Arc::clone(&current)));
    let reloading = Arc::clone(&live);
    let admin = Arc::new(Admin {
        metrics,
        current: Arc::clone(&current),
        reload: Box::new(move || reloading.reload()),
        draining: draining.subscribe(),
    });
    let bind = |address| if run.upgrade { Ok(None) } else { bind(address).map(Some) };
    let (proxy_listener, admin_listener) =
        (bind(config.server.listen)?, bind(config.server.admin_listen)?);
    let addresses = Addresses {
        proxy: real_address(proxy_listener.as_ref(), config.server.listen),
        admin: real_address(admin_listener.as_ref(), config.server.admin_listen),
    };
    let mut server = pingora(config, run.upgrade);
    let opened = Arc::new(Opened::new(2, addresses, run.announce));
    let entrance =
        |app, address, listener| Entrance::new(app, (address, listener), &draining, &opened);
    let proxy = App::Proxy(current, shared.clone());
    server.add_service(entrance(proxy, addresses.proxy, proxy_listener));
    let admin = App::Admin(admin, shared);
    server.add_service(entrance(admin, addresses.admin, admin_listener));
    let drain = config.server.drain;
    let signals = Signals { stop: run.stop, draining, tasks, live, drain };
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    // What the tiers still have to write takes no longer than they allow themselves.
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| Failure::Start(error.to_string()))?;
    runtime.block_on(tiers.close());
    Ok(())
}

fn proxy(config: &Config, built: &Built) -> Result<Proxy, Failure> {
    let default = built
        .upstreams
        .get(&config.server.default_provider)
        .ok_or_else(|| Failure::Config("server.default_provider: is not configured".to_owned()))?;
    Ok(Proxy {
        service: Arc::clone(&built.service),
        routes: Routes::new(built.upstreams.clone(), Arc::clone(default)),
        settings: config.server.clone(),
        bodies: Arc::clone(&built.bodies),
        embed: Arc::new(built.metrics.operation(Operation::Embed)),
        chat: Arc::new(built.metrics.operation(Operation::Chat)),
        relay: Arc::new(built.metrics.operation(Operation::Relay)),
        panics: built.metrics.panics.clone(),
        tasks: built.tasks.clone(),
    })
}

fn pingora(config: &Config, upgrade: bool) -> Server {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = config.server.threads as usize;
    let conf = ServerConf {
        threads: if threads == 0 { cores } else { threads },
        grace_period_seconds: Some(config.server.drain.as_secs()),
        graceful_shutdown_timeout_seconds: Some(1),
        upgrade_sock: config.server.upgrade_socket.clone(),
        ..ServerConf::default()
    };
    let options = Opt { upgrade, ..Opt::default() };
    let mut server = Server::new_with_opt_and_conf(options, conf);
    server.bootstrap();
    server
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        // pingora takes a socket over as it is, and would block a thread in accept.
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| Failure::Bind(address, error))
}

fn real_address(listener: Option<&TcpListener>, configured: SocketAddr) -> SocketAddr {
    listener.and_then(|listener| listener.local_addr().ok()).unwrap_or(configured)
}
