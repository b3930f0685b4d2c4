//! The process: everything is built once from the configuration, pingora runs the listeners, and a
//! signal ends it in order.
//!
//! pingora's own way down sleeps its whole grace period, even when nothing is open. So a drain is
//! done here: the listeners stop, every connection is told, and the process leaves with the last.

mod build;
mod entrance;
mod kept;
mod reload;
mod signals;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use pingora_core::server::configuration::{Opt, ServerConf};
use pingora_core::server::{RunArgs, Server};
use tokio::runtime;
use tokio::sync::{Semaphore, watch};

use crate::config::Config;
use crate::gate::connection::Door;
use crate::gate::{Admin, Current, Guard};
use build::proxy;
pub use build::{Built, build, cache_directory};
use entrance::{App, Entrance, Opened, Shared};
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
    let bind = |address| if run.upgrade { Ok(None) } else { bind(address).map(Some) };
    let (proxy_listener, admin_listener) =
        (bind(config.server.listen)?, bind(config.server.admin_listen)?);
    let addresses = Addresses {
        proxy: real_address(proxy_listener.as_ref(), config.server.listen),
        admin: real_address(admin_listener.as_ref(), config.server.admin_listen),
    };
    let admin = Arc::new(Admin {
        guard: Guard::new(&config.server.admin_token, addresses.admin),
        metrics,
        current: Arc::clone(&current),
        reload: Box::new(move || reloading.reload()),
        draining: draining.subscribe(),
    });
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
