//! The services: pingora's, over listeners that were opened before it runs, with hyper on every stream
//! they accept.

use std::collections::HashSet;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use hyper_util::rt::TokioIo;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::Stream;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service as PingoraService;
use pingora_core::services::listening::Service as Listening;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::Announce;
use super::Built;
use super::listeners::{Addresses, Listener};
use super::tls::Tls;
use super::warm;
use crate::config::Server;
use crate::gate::connection::Door;
use crate::gate::{Admin, Current, Express};
use crate::metrics::{Held, IntGauge};

/// What the connections of both listeners have in common.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    door: Door,
    room: Arc<Semaphore>,
    connections: IntGauge,
    tasks: TaskTracker,
}

impl Shared {
    pub(super) fn new(settings: &Server, built: &Built) -> Self {
        Self {
            door: Door::new(settings, built.tasks.clone()),
            room: Arc::new(Semaphore::new(settings.max_connections as usize)),
            connections: built.metrics.downstream_connections.clone(),
            tasks: built.tasks.clone(),
        }
    }
}

type Beside = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What is behind a listener.
pub(super) enum App {
    Proxy(Arc<Current>, Arc<Tls>, Shared),
    Admin(Arc<Admin>, Shared),
}

impl App {
    /// The name of its threads, and how many where it is not for the settings to say.
    fn name_and_threads(&self) -> (&'static str, Option<usize>) {
        match self {
            Self::Proxy(..) => ("larder proxy", None),
            Self::Admin(..) => ("larder admin", Some(1)),
        }
    }

    /// What goes on while its listeners are open, and ends with them.
    fn beside(&self) -> Beside {
        match self {
            Self::Proxy(current, ..) => Box::pin(warm::keep(Arc::clone(current))),
            Self::Admin(admin, _) => {
                let admin = Arc::clone(admin);
                Box::pin(async move { admin.history.keep(&admin.metrics).await })
            }
        }
    }

    fn shared(&self) -> &Shared {
        let (Self::Proxy(_, _, shared) | Self::Admin(_, shared)) = self;
        shared
    }
}

#[async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        mut stream: Stream,
        draining: &ShutdownWatch,
    ) -> Option<Stream> {
        let _task = self.shared().tasks.token();
        let draining = draining.clone();
        match &**self {
            Self::Proxy(current, tls, shared) => {
                let encryption = tls.of(&stream);
                let Ok(room) = Arc::clone(&shared.room).try_acquire_owned() else {
                    // Before a handshake there are no words for it.
                    if encryption.is_none() {
                        turn_away(&mut stream).await;
                    }
                    return None;
                };
                let held = (room, Held::one(&shared.connections));
                let express = Some(Express::new(current));
                let current = Arc::clone(current);
                let serve = move |request| current.get().exchange(request);
                let Some(acceptor) = encryption else {
                    let io = (TokioIo::new(stream), express);
                    let serving = shared.door.serve(io, draining, serve);
                    // In a task of its own: in pingora's each step would go through the states of others.
                    shared.tasks.spawn(serving.map(move |()| drop(held)));
                    return None;
                };
                // Boxed, so that a connection in plain text is no larger for it.
                let encrypted = Box::pin(async move {
                    let stream = tls.shake(acceptor, stream, draining.clone()).await?;
                    let io = (TokioIo::new(stream), express);
                    shared.door.serve(io, draining, serve).await;
                    drop(held);
                    None
                });
                return encrypted.await;
            }
            Self::Admin(admin, shared) => {
                let admin = Arc::clone(admin);
                let serve = move |request| Arc::clone(&admin).exchange(request);
                shared.door.serve((TokioIo::new(stream), None), draining, serve).await;
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

/// The listeners of one kind of requests, and what is behind them.
pub(super) struct Entrance {
    inner: Listening<App>,
    listeners: Vec<Listener>,
    draining: Arc<watch::Sender<bool>>,
    opened: Arc<Opened>,
    tasks: TaskTracker,
    beside: Option<Beside>,
}

impl Entrance {
    pub(super) fn new(
        app: App,
        listeners: Vec<Listener>,
        draining: &Arc<watch::Sender<bool>>,
        opened: &Arc<Opened>,
    ) -> Self {
        let (name, threads) = app.name_and_threads();
        let tasks = app.shared().tasks.clone();
        let beside = Some(app.beside());
        let mut inner = Listening::new(name.to_owned(), app);
        inner.threads = threads;
        let (draining, opened) = (Arc::clone(draining), Arc::clone(opened));
        Self { inner, listeners, draining, opened, tasks, beside }
    }

    async fn take_listeners(&mut self, fds: &ListenFds) {
        // What was handed over and is not wanted any more would let clients wait for ever.
        fds.lock().close_unclaimed(&self.opened.names);
        for listener in &mut self.listeners {
            if let Some(config) = listener.ready(fds).await {
                self.inner.add_listener(config);
            }
        }
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
        if let Some(fds) = &fds {
            self.take_listeners(fds).await;
        }
        self.opened.one_more();
        // A drain waits for the listeners too: who looks for them afterwards finds none of ours.
        let _listening = self.tasks.token();
        // pingora's own signal comes when the listeners were handed over; ours comes for a drain.
        let draining = Arc::clone(&self.draining);
        let forward = async move {
            if shutdown.wait_for(|shutdown| *shutdown).await.is_ok() {
                draining.send_replace(true);
            }
            pending::<()>().await;
        };
        let beside = self.beside.take();
        let beside = async move {
            if let Some(beside) = beside {
                beside.await;
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = self.inner.start_service(fds, self.draining.subscribe(), listeners_per_fd) => {}
            () = forward => {}
            () = beside => {}
        }
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn threads(&self) -> Option<usize> {
        self.inner.threads()
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(self.opened.names.iter().cloned().collect())
    }
}

/// Announces the addresses once all listeners are open.
pub(super) struct Opened {
    missing: AtomicUsize,
    /// What they may have been handed over by.
    names: HashSet<String>,
    addresses: Addresses,
    announce: Mutex<Option<Announce>>,
}

impl Opened {
    pub(super) fn new(
        listeners: usize,
        names: HashSet<String>,
        (addresses, announce): (Addresses, Announce),
    ) -> Self {
        let announce = Mutex::new(Some(announce));
        Self { missing: AtomicUsize::new(listeners), names, addresses, announce }
    }

    fn one_more(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            let announce = self.announce.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(announce) = announce {
                announce(self.addresses.clone());
            }
        }
    }
}
