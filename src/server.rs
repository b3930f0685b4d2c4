//! The process: everything is built once from the configuration, pingora runs the listeners, and a
//! signal ends it in order.
//!
//! pingora's own way down sleeps its whole grace period, even when nothing is open. So a drain is
//! done here: the listeners stop, every connection is told, and the process leaves with the last.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hyper_util::rt::TokioIo;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig};
use pingora_core::protocols::Stream;
use pingora_core::server::configuration::{Opt, ServerConf};
use pingora_core::server::{
    ListenFds, RunArgs, Server, ShutdownSignal, ShutdownSignalWatch, ShutdownWatch,
};
use pingora_core::services::Service as PingoraService;
use pingora_core::services::listening::Service as Listening;
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::batch::Batcher;
use crate::clock::Clock;
use crate::config::Config;
use crate::dialect;
use crate::flight::Flights;
use crate::gate::connection::Door;
use crate::gate::route::Routes;
use crate::gate::{Admin, Proxy};
use crate::key::KeyHasher;
use crate::metrics::{Held, Metrics, Operation};
use crate::serve::Service;
use crate::tier::memory::Memory;
use crate::upstream::Upstream;

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

/// What a caller may want of a run beside the configuration.
pub struct Run {
    /// Take the listeners over from a running process instead of opening them.
    pub upgrade: bool,
    /// Ends the run when it turns true, as SIGTERM does.
    pub stop: watch::Receiver<bool>,
    /// Told once both listeners accept.
    pub announce: Box<dyn FnOnce(Addresses) + Send>,
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
    metrics: Metrics,
    tasks: TaskTracker,
}

/// Builds everything behind the listeners; opens nothing.
pub fn build(config: &Config) -> Result<Built, Failure> {
    let metrics = Metrics::new().map_err(|error| Failure::Start(error.to_string()))?;
    let mut upstreams = HashMap::new();
    for (name, provider) in &config.providers {
        let wrong = |message: String| Failure::Config(format!("providers.{name}: {message}"));
        let dialect = dialect::named(&provider.dialect)
            .ok_or_else(|| wrong("an unknown dialect".to_owned()))?;
        let upstream = Upstream::new(name, dialect, provider.clone(), metrics.upstream(name));
        upstreams.insert(name.clone(), Arc::new(upstream.map_err(wrong)?));
    }
    let secret = secret().map_err(|error| Failure::Start(format!("no randomness: {error}")))?;
    let hasher = KeyHasher::new(&secret);
    let clock = Clock::start();
    let tasks = TaskTracker::new();
    let lookups = metrics.tier("memory");
    let memory = Arc::new(Memory::new(config.cache.memory.0, hasher.clone(), lookups.clone()));
    let embed = metrics.operation(Operation::Embed);
    let batcher = Batcher::new(Arc::clone(&memory), clock, embed.clone(), tasks.clone());
    let harmless = config.cache.harmless_headers.iter().map(|name| {
        name.parse().map_err(|_| Failure::Config(format!("cache.harmless_headers: {name:?}")))
    });
    let service = Service {
        memory,
        flights: Flights::new(&hasher),
        batcher,
        clock,
        ttl: config.cache.ttl,
        harmless: harmless.collect::<Result<_, _>>()?,
        secret,
        metrics: embed,
        lookups,
    };
    Ok(Built { service: Arc::new(service), upstreams, metrics, tasks })
}

/// Runs the sidecar until a signal, or the caller, ends it.
pub fn run(config: &Config, run: Run) -> Result<(), Failure> {
    let built = build(config)?;
    let (draining, _) = watch::channel(false);
    let draining = Arc::new(draining);
    let proxy = Arc::new(proxy(config, &built)?);
    let admin = Arc::new(Admin {
        metrics: built.metrics.clone(),
        service: Arc::clone(&built.service),
        draining: draining.subscribe(),
    });
    let shared = Shared {
        door: Door::new(&config.server),
        room: Arc::new(Semaphore::new(config.server.max_connections as usize)),
        connections: built.metrics.downstream_connections.clone(),
        tasks: built.tasks.clone(),
    };
    let bind = |address| if run.upgrade { Ok(None) } else { bind(address).map(Some) };
    let (proxy_listener, admin_listener) =
        (bind(config.server.listen)?, bind(config.server.admin_listen)?);
    let addresses = Addresses {
        proxy: real_address(proxy_listener.as_ref(), config.server.listen),
        admin: real_address(admin_listener.as_ref(), config.server.admin_listen),
    };
    let mut server = pingora(config, run.upgrade);
    let opened = Arc::new(Opened::new(2, addresses, run.announce));
    let entrance = |app, name, address: SocketAddr, listener| Entrance {
        inner: Listening::new(String::from(name), app),
        address: address.to_string(),
        listener,
        draining: Arc::clone(&draining),
        opened: Arc::clone(&opened),
    };
    let (app, name) = (App::Proxy(proxy, shared.clone()), "larder proxy");
    server.add_service(entrance(app, name, addresses.proxy, proxy_listener).listen());
    let (app, name) = (App::Admin(admin, shared), "larder admin");
    let mut admin = entrance(app, name, addresses.admin, admin_listener).listen();
    admin.inner.threads = Some(1);
    server.add_service(admin);
    let drain = config.server.drain;
    let signals = Signals { stop: run.stop, draining, tasks: built.tasks, drain };
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    Ok(())
}

fn proxy(config: &Config, built: &Built) -> Result<Proxy, Failure> {
    let default = built.upstreams.get(&config.server.default_provider).ok_or_else(|| {
        Failure::Config("server.default_provider: is not configured".to_owned())
    })?;
    Ok(Proxy {
        service: Arc::clone(&built.service),
        routes: Routes::new(built.upstreams.clone(), Arc::clone(default)),
        settings: config.server.clone(),
        embed: built.metrics.operation(Operation::Embed),
        relay: built.metrics.operation(Operation::Relay),
    })
}

fn pingora(config: &Config, upgrade: bool) -> Server {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = config.server.threads as usize;
    let mut conf = ServerConf::default();
    conf.threads = if threads == 0 { cores } else { threads };
    conf.grace_period_seconds = Some(config.server.drain.as_secs());
    conf.graceful_shutdown_timeout_seconds = Some(1);
    conf.upgrade_sock.clone_from(&config.server.upgrade_socket);
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

/// What digests of credentials are keyed with: drawn anew by each process.
fn secret() -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut secret)?;
    Ok(secret)
}

/// What the connections of both listeners have in common.
#[derive(Debug, Clone)]
struct Shared {
    door: Door,
    room: Arc<Semaphore>,
    connections: crate::metrics::IntGauge,
    tasks: TaskTracker,
}

/// What is behind a listener.
enum App {
    Proxy(Arc<Proxy>, Shared),
    Admin(Arc<Admin>, Shared),
}

#[async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        mut stream: Stream,
        draining: &ShutdownWatch,
    ) -> Option<Stream> {
        let (Self::Proxy(_, shared) | Self::Admin(_, shared)) = &**self;
        let _task = shared.tasks.token();
        let mut draining = draining.clone();
        match &**self {
            Self::Proxy(proxy, shared) => {
                let Ok(_room) = shared.room.try_acquire() else {
                    turn_away(&mut stream).await;
                    return None;
                };
                let _open = Held::one(&shared.connections);
                let serve = |request| {
                    let proxy = Arc::clone(proxy);
                    async move { proxy.exchange(request).await }
                };
                shared.door.serve(TokioIo::new(stream), &mut draining, serve).await;
            }
            Self::Admin(admin, shared) => {
                let serve = |request| {
                    let admin = Arc::clone(admin);
                    async move { admin.exchange(&request) }
                };
                shared.door.serve(TokioIo::new(stream), &mut draining, serve).await;
            }
        }
        None
    }
}

/// Tells a client that there is no room for another connection.
async fn turn_away(stream: &mut Stream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
        x-larder-error: overloaded\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    // The client may be gone already, and then there is nobody to tell.
    let told = timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
    if told.is_err() {
        tracing::debug!("a client that was turned away did not read why");
    }
}

/// A listener that was opened before pingora ran, so that an address that is taken is an error
/// rather than a retry, and port 0 has a number.
struct Entrance {
    inner: Listening<App>,
    address: String,
    listener: Option<TcpListener>,
    draining: Arc<watch::Sender<bool>>,
    opened: Arc<Opened>,
}

impl Entrance {
    fn listen(mut self) -> Self {
        // hyper has buffers of its own.
        let buffers = L4BufferSettings::unbuffered();
        self.inner.add_listener(ListenerConfig::tcp(&self.address).l4_buffer(buffers));
        self
    }
}

#[async_trait]
impl PingoraService for Entrance {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        mut shutdown: ShutdownWatch,
        listeners_per_fd: usize,
    ) {
        if let (Some(fds), Some(listener)) = (&fds, self.listener.take()) {
            fds.lock().add(self.address.clone(), listener.into_raw_fd());
        }
        self.opened.one_more();
        // pingora's own signal comes when the listeners were handed over; ours comes for a drain.
        let draining = Arc::clone(&self.draining);
        let forward = async move {
            if shutdown.wait_for(|shutdown| *shutdown).await.is_ok() {
                draining.send_replace(true);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.inner.start_service(fds, self.draining.subscribe(), listeners_per_fd) => {}
            () = forward => {}
        }
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn threads(&self) -> Option<usize> {
        self.inner.threads()
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        self.inner.listen_addresses()
    }
}

/// Announces the addresses once all listeners are open.
struct Opened {
    missing: AtomicUsize,
    addresses: Addresses,
    announce: Mutex<Option<Box<dyn FnOnce(Addresses) + Send>>>,
}

impl Opened {
    fn new(
        listeners: usize,
        addresses: Addresses,
        announce: Box<dyn FnOnce(Addresses) + Send>,
    ) -> Self {
        let announce = Mutex::new(Some(announce));
        Self { missing: AtomicUsize::new(listeners), addresses, announce }
    }

    fn one_more(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            let announce = self.announce.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(announce) = announce {
                announce(self.addresses);
            }
        }
    }
}

/// Waits for the end, and for what is in flight when it comes.
struct Signals {
    stop: watch::Receiver<bool>,
    draining: Arc<watch::Sender<bool>>,
    tasks: TaskTracker,
    drain: Duration,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut quit)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::quit()),
        ) else {
            tracing::error!("no signal can be received; stopping rather than running unstoppable");
            return ShutdownSignal::FastShutdown;
        };
        let mut stop = self.stop.clone();
        let stopped = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                // Nobody is left who could say so.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = quit.recv() => return ShutdownSignal::GracefulUpgrade,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stopped => {}
        }
        self.drain(&mut terminate, &mut interrupt).await;
        ShutdownSignal::FastShutdown
    }
}

impl Signals {
    async fn drain(&self, terminate: &mut Signal, interrupt: &mut Signal) {
        tracing::info!("draining");
        self.draining.send_replace(true);
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => tracing::info!("drained"),
            () = tokio::time::sleep(self.drain) => {
                tracing::warn!(left = self.tasks.len(), "the drain's time is over");
            }
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
