//! The parts of a process that serve: built before a socket is open, then accepting on the listeners.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::accept::{self, Accepting, App, Connections, Lifecycle};
use super::build::{self, Built, proxy};
use super::listeners::{Addresses, Listeners};
use super::reload::{Live, Read};
use super::threads::Threads;
use super::tls::Tls;
use super::{Failure, descriptors, warm};
use crate::clock::unix_seconds;
use crate::config::{Config, Server};
use crate::gate::{Admin, Current, Guard};

/// Everything behind the listeners.
pub(super) struct Sidecar {
    pub(super) built: Built,
    current: Arc<Current>,
    tls: Arc<Tls>,
    live: Arc<Live>,
    /// Maximum number of client connections.
    clients: usize,
}

/// A sidecar with its listeners; it accepts once `accepting` says so.
pub(super) struct Serving {
    pub(super) accepting: watch::Sender<Accepting>,
    pub(super) draining: watch::Sender<bool>,
    /// The accept loops and the connections.
    pub(super) tasks: TaskTracker,
    pub(super) live: Arc<Live>,
    /// Descriptors of the listening sockets, for a successor.
    pub(super) listeners: Listeners,
    /// Work beside the listeners, which ends with them.
    pub(super) background: Vec<AbortOnDropHandle<()>>,
}

impl Sidecar {
    pub(super) fn build(config: &Config, read: Read) -> Result<Self, Failure> {
        let built = build::build(config)?.with_recordings(&config.server)?;
        let current = Arc::new(Current::new(proxy(config, &built)?));
        let tls = Arc::new(Tls::new(&config.server)?);
        let replaced = (Arc::clone(&current), Arc::clone(&tls));
        let live = Arc::new(Live::new(read, (config.clone(), built.clone()), replaced));
        Ok(Self { built, current, tls, live, clients: descriptors::clients(config) })
    }

    /// Starts the accept loops, which wait until they are told to accept.
    pub(super) fn start(
        self,
        server: &Server,
        listeners: Listeners,
        threads: &Threads,
    ) -> Result<Serving, Failure> {
        let (accepting, draining) =
            (watch::Sender::new(Accepting::Paused), watch::Sender::new(false));
        let lifecycle =
            Lifecycle { accepting: accepting.subscribe(), draining: draining.subscribe() };
        let connections = Connections::new(server, &self.built, self.clients);
        let admin = Arc::new(self.admin(server, &listeners.addresses()?, draining.subscribe()));
        let history = Arc::clone(&admin);
        let background = [
            threads.proxy().spawn(warm::keep(Arc::clone(&self.current))),
            threads.admin().spawn(async move { history.history.keep(&history.metrics).await }),
        ];
        let kept = listeners.try_clone()?;
        let proxy = App::Proxy(self.current, connections.clone());
        let started = || -> io::Result<()> {
            if let Some(unix) = listeners.unix {
                accept::on_unix(unix.listener, proxy.clone(), lifecycle.clone(), threads.proxy())?;
            }
            accept::on_tcp(
                listeners.proxy,
                Some(self.tls),
                proxy,
                lifecycle.clone(),
                threads.proxy(),
            )?;
            let admin = App::Admin(admin, connections.of_admin());
            accept::on_tcp(listeners.admin, None, admin, lifecycle, threads.admin())
        };
        started().map_err(|error| Failure::Start(format!("cannot accept: {error}")))?;
        Ok(Serving {
            accepting,
            draining,
            tasks: self.built.tasks,
            live: self.live,
            listeners: kept,
            background: background.map(AbortOnDropHandle::new).into(),
        })
    }

    fn admin(&self, server: &Server, at: &Addresses, draining: watch::Receiver<bool>) -> Admin {
        let (built, reloading) = (&self.built, Arc::clone(&self.live));
        let scheme = if self.tls.is_on() { "https" } else { "http" };
        Admin {
            guard: Guard::new(&server.admin_token, at.admin),
            started: unix_seconds(),
            proxy: format!("{scheme}://{}", at.proxy),
            metrics: built.metrics.clone(),
            ledger: Arc::clone(&built.ledger),
            history: Arc::default(),
            recent: Arc::clone(&built.recent),
            jobs: Arc::default(),
            current: Arc::clone(&self.current),
            reload: Box::new(move || reloading.reload()),
            draining,
        }
    }
}
