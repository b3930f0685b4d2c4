//! The process: everything is built once from the configuration, the listeners accept, and a signal ends it
//! in order.
//!
//! Owns the threads, the listening sockets and their hand-over to a new process, reloads and the drain. Does
//! not know what a request is.

mod accept;
mod build;
mod descriptors;
mod handover;
mod inherited;
mod kept;
mod listeners;
mod memory;
mod reload;
mod service_manager;
mod sidecar;
mod signals;
mod threads;
mod tls;
mod unix_socket;
mod warm;

use std::fmt;
use std::future::pending;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{Config, Server, Sources};
use crate::export::Exporter;
use accept::Accepting;
pub use build::{Built, build, cache_directory};
pub use descriptors::with_inherited_limit;
use handover::{Handover, Successor};
pub use inherited::Inherited;
pub use listeners::Addresses;
use listeners::Listeners;
pub use reload::Read;
use sidecar::Sidecar;
pub use signals::Ends;
use signals::{Drained, EndSignals, Signals};
use threads::{Threads, main_runtime};

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
            Self::Bind(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {address}: {error}; `larder doctor` tells whether a larder runs \
                 there, --listen and --admin-listen choose other addresses"
            ),
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
            Self::Config(key, _) => match sources.place(key) {
                "" => self.to_string(),
                place => format!("{place}: {self}"),
            },
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
    descriptors::raise();
    memory::warn_if_tight(config);
    let sidecar = Sidecar::build(config, run.read)?;
    let (tiers, tracer) = (Arc::clone(&sidecar.built.service.tiers), sidecar.built.tracer.clone());
    let exporter = tracer.map(|tracer| Exporter::start(&config.traces, tracer));
    let exporter = exporter.transpose().map_err(Failure::Start)?;
    let (main, threads) = (main_runtime()?, Threads::start(&config.server)?);
    let ended = main.block_on(async {
        let mut end = (run.ends == Ends::AtSignal).then(EndSignals::install).transpose()?;
        let opened = open(run.source, &config.server, end.as_mut()).await?;
        let Some(Opened { listeners, handover }) = opened else {
            return Ok((None, Drained::InTime));
        };
        let (addresses, file) = (listeners.addresses()?, listeners.unix_file());
        let serving = sidecar.start(&config.server, listeners, &threads)?;
        if let Some(handover) = handover {
            handover.complete().await?;
        }
        serving.accepting.send_replace(Accepting::Open);
        let is_service = end.is_some();
        let signals = Signals::install(serving, &config.server, (end, run.stop))?;
        (run.announce)(addresses);
        if is_service {
            service_manager::ready();
        }
        Ok::<_, Failure>((file, signals.run().await))
    });
    let (file, drained) = ended?;
    threads.stop();
    if let Some(file) = file {
        main.block_on(file.remove());
    }
    if drained == Drained::InTime {
        // Bounded by the tiers' own time-outs.
        main.block_on(tiers.close());
    }
    if let Some(exporter) = exporter {
        exporter.close();
    }
    Ok(())
}

/// The listeners of a run, and the hand-over that they come from.
struct Opened {
    listeners: Listeners,
    handover: Option<Handover>,
}

/// Opens the listeners, or waits for those of a running process. None if a signal ended the wait.
async fn open(
    source: Source,
    server: &Server,
    end: Option<&mut EndSignals>,
) -> Result<Option<Opened>, Failure> {
    let passed = match source {
        Source::Opened(passed) => passed,
        Source::HandedOver => return take_over(server, end).await,
    };
    let listeners = Listeners::open(server, passed).await?;
    Ok(Some(Opened { listeners, handover: None }))
}

async fn take_over(
    server: &Server,
    end: Option<&mut EndSignals>,
) -> Result<Option<Opened>, Failure> {
    let successor = Successor::bind(&server.upgrade_socket).await?;
    let ended = async {
        match end {
            Some(end) => end.next().await,
            None => pending().await,
        }
    };
    tokio::select! {
        taken = successor.listeners(server) => {
            let (listeners, handover) = taken?;
            return Ok(Some(Opened { listeners, handover: Some(handover) }));
        }
        () = ended => {}
    }
    tracing::info!("ended by a signal before the running process handed its listeners over");
    unix_socket::remove(&server.upgrade_socket).await;
    Ok(None)
}

/// An error if the certificate or the recordings of a configuration cannot be read.
pub fn check_files(config: &Config) -> Result<(), Failure> {
    tls::read(&config.server)?;
    build::check_recordings(&config.server)
}
