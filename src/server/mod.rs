//! The process: everything is built once from the configuration, pingora runs the listeners, and a
//! signal ends it in order.
//!
//! pingora's own way down sleeps its whole grace period, even when nothing is open. So a drain is
//! done here: the listeners stop, every connection is told, and the process leaves with the last.

mod build;
mod entrance;
mod inherited;
mod kept;
mod listeners;
mod reload;
mod signals;
mod socket;
mod socket_file;
mod tls;
mod warm;

use std::fmt;
use std::io;
use std::sync::Arc;

use pingora_core::server::configuration::{Opt, ServerConf};
use pingora_core::server::{RunArgs, Server};
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;

use crate::clock::unix_seconds;
use crate::config::{Config, Sources};
use crate::export::Exporter;
use crate::gate::{Admin, Current, Guard};
use build::proxy;
pub use build::{Built, build, cache_directory};
use entrance::{App, Entrance, Opened, Shared};
pub use inherited::Inherited;
pub use listeners::Addresses;
use listeners::Listeners;
use reload::Live;
pub use reload::Read;
pub use signals::Ends;
use signals::Signals;
use tls::Tls;

/// How a process came to its end, if not well.
#[derive(Debug)]
pub enum Failure {
    /// A key of the configuration, and what is wrong with it.
    Config(String, String),
    /// An address, or the path of a socket, is not free, or not ours.
    Bind(String, io::Error),
    /// Something that should always work did not.
    Start(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(key, message) => write!(f, "{key}: {message}"),
            Self::Start(message) => f.write_str(message),
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl Failure {
    /// A failure of a key.
    fn config(key: &str, message: impl fmt::Display) -> Self {
        Self::Config(key.to_owned(), message.to_string())
    }

    /// The failure with the place of its key, if it is of one.
    pub fn placed(&self, sources: &Sources) -> String {
        match self {
            Self::Config(key, _) => format!("{}: {self}", sources.place(key)),
            other => other.to_string(),
        }
    }
}

/// Tells the real addresses.
pub type Announce = Box<dyn FnOnce(Addresses) + Send>;

/// Where the listeners of a run come from.
#[derive(Debug)]
pub enum Source {
    /// They are opened as configured, but for those that the process was started with.
    Opened(Inherited),
    /// A running process hands them over.
    HandedOver,
}

/// What a caller may want of a run beside the configuration.
pub struct Run {
    /// Where its listeners come from.
    pub source: Source,
    /// Reads the configuration anew, for SIGHUP and the admin API.
    pub read: Read,
    /// Whether signals end it.
    pub ends: Ends,
    /// Ends the run when it turns true, as SIGTERM does.
    pub stop: watch::Receiver<bool>,
    /// Told once all listeners accept.
    pub announce: Announce,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Runs the sidecar until a signal, or the caller, ends it.
pub fn run(config: &Config, run: Run) -> Result<(), Failure> {
    let built = build(config)?.with_recordings(&config.server)?;
    let draining = Arc::new(watch::Sender::new(false));
    let current = Arc::new(Current::new(proxy(config, &built)?));
    let tiers = Arc::clone(&built.service.tiers);
    let tls = Arc::new(Tls::new(&config.server)?);
    let shared = Shared::new(&config.server, &built);
    let tracer = built.tracer.clone();
    let tasks = built.tasks.clone();
    let (metrics, ledger, recent) =
        (built.metrics.clone(), Arc::clone(&built.ledger), Arc::clone(&built.recent));
    let replaced = (Arc::clone(&current), Arc::clone(&tls));
    let live = Arc::new(Live::new(run.read, (config.clone(), built), replaced));
    let reloading = Arc::clone(&live);
    let runtime = runtime()?;
    let upgrade = matches!(run.source, Source::HandedOver);
    let listeners = runtime.block_on(Listeners::of(&config.server, run.source))?;
    let names = listeners.names();
    let Listeners { proxy: at_proxy, admin: at_admin, file, addresses } = listeners;
    let admin = Arc::new(Admin {
        guard: Guard::new(&config.server.admin_token, addresses.admin),
        started: unix_seconds(),
        proxy: format!("http{}://{}", if tls.is_on() { "s" } else { "" }, addresses.proxy),
        metrics,
        ledger,
        history: Arc::default(),
        recent,
        jobs: Arc::default(),
        current: Arc::clone(&current),
        reload: Box::new(move || reloading.reload()),
        draining: draining.subscribe(),
    });
    let mut server = pingora(config, upgrade);
    let opened = Arc::new(Opened::new(2, names, (addresses, run.announce)));
    let entrance = |app, listeners| Entrance::new(app, listeners, &draining, &opened);
    server.add_service(entrance(App::Proxy(current, tls, shared.clone()), at_proxy));
    server.add_service(entrance(App::Admin(admin, shared), at_admin));
    let drain = config.server.drain;
    let exporter = tracer.map(|tracer| Exporter::start(&config.traces.endpoint, tracer));
    let exporter = exporter.transpose().map_err(Failure::Start)?;
    let signals = Signals { ends: run.ends, stop: run.stop, draining, tasks, live, drain };
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    if let Some(file) = file {
        runtime.block_on(file.leave());
    }
    // What the tiers still have to write takes no longer than they allow themselves.
    runtime.block_on(tiers.close());
    if let Some(exporter) = exporter {
        exporter.close();
    }
    Ok(())
}

/// Whether the certificate of a configuration, if it has one, is good.
pub fn check_certificate(config: &Config) -> Result<(), Failure> {
    tls::read(&config.server).map(drop)
}

/// For what there is to wait for before pingora runs, and after.
fn runtime() -> Result<Runtime, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Start(error.to_string()))
}

fn pingora(config: &Config, upgrade: bool) -> Server {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = config.server.threads as usize;
    let conf = ServerConf {
        threads: if threads == 0 { cores } else { threads },
        grace_period_seconds: Some(config.server.drain.as_secs()),
        graceful_shutdown_timeout_seconds: Some(1),
        upgrade_sock: config.server.upgrade_socket.clone(),
        // Its own timers would be kept by a thread that wakes a hundred times a second, for ever; tokio's wake nobody.
        fast_timeout_to_tokio_threshold_seconds: Some(0),
        ..ServerConf::default()
    };
    let options = Opt { upgrade, ..Opt::default() };
    let mut server = Server::new_with_opt_and_conf(options, conf);
    server.bootstrap();
    server
}
