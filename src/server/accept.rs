//! Accepts connections: one loop for each listening socket, and hyper on every stream.
//!
//! Owns how many connections there may be, and when none are accepted. Does not know what a request is.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;
use tokio_util::task::TaskTracker;

use super::Built;
use super::descriptors::{Spare, are_exhausted};
use super::tls::Tls;
use crate::config::Server;
use crate::gate::connection::Door;
use crate::gate::{Admin, Current, Entrance, Express};
use crate::metrics::{Held, IntGauge};

/// A client's connection.
pub(super) type Stream = Either<TcpStream, UnixStream>;

/// Pause after an error that the next attempt would meet too, such as too many open files.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Maximum number of connections over the limit that are told so at a time: each has a descriptor.
const MAX_REFUSALS: usize = 16;

/// Maximum number of connections to the admin listener. Their descriptors are some of those that no client
/// of the proxy gets.
const MAX_ADMIN: usize = 24;

/// Whether connections are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepting {
    Open,
    /// They wait in the kernel's queue.
    Paused,
    /// The sockets are closed.
    Closed,
}

/// The states that the accept loops of both listeners follow.
#[derive(Debug, Clone)]
pub(super) struct Lifecycle {
    pub(super) accepting: watch::Receiver<Accepting>,
    pub(super) draining: watch::Receiver<bool>,
}

/// State shared by the connections of a listener.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    door: Door,
    permits: Arc<Semaphore>,
    /// Responses to connections over the limit that are written at a time; more are closed without one.
    refusals: Arc<Semaphore>,
    open: IntGauge,
    tasks: TaskTracker,
}

impl Connections {
    /// At most so many of clients at a time.
    pub(super) fn new(settings: &Server, built: &Built, clients: usize) -> Self {
        Self {
            door: Door::new(settings, built.tasks.clone()),
            permits: Arc::new(Semaphore::new(clients)),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            open: built.metrics.downstream_connections.clone(),
            tasks: built.tasks.clone(),
        }
    }

    /// Those of the admin listener: they have a limit of their own.
    pub(super) fn of_admin(&self) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_ADMIN)),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            ..self.clone()
        }
    }

    /// A stream with a permit. Without a free permit the stream is closed, after a 503 if it is not
    /// encrypted: a response in clear would be noise in a TLS handshake.
    fn admit(&self, stream: Stream, is_encrypted: bool) -> Option<(Stream, OwnedSemaphorePermit)> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some((stream, permit));
        }
        if !is_encrypted && let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
            self.tasks.spawn(turn_away(stream).map(move |()| drop(permit)));
        }
        None
    }
}

/// The service behind a listener.
#[derive(Clone)]
pub(super) enum App {
    Proxy(Arc<Current>, Connections),
    Admin(Arc<Admin>, Connections),
}

/// A listening socket in the runtime that accepts on it.
enum Socket {
    Tcp(TcpListener, Option<Arc<Tls>>),
    Unix(UnixListener),
}

impl Socket {
    async fn accept(&self) -> io::Result<(Stream, Option<&Tls>)> {
        match self {
            Self::Tcp(listener, tls) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Either::Left(stream), tls.as_deref()))
            }
            // Never encrypted: the socket is this machine's own.
            Self::Unix(listener) => Ok((Either::Right(listener.accept().await?.0), None)),
        }
    }
}

/// Accepts on a TCP socket, in the runtime of `handle`. Its connections are encrypted as `tls` says.
pub(super) fn on_tcp(
    listener: StdTcpListener,
    tls: Option<Arc<Tls>>,
    app: App,
    lifecycle: Lifecycle,
    handle: &Handle,
) -> io::Result<()> {
    let _entered = handle.enter();
    let socket = Socket::Tcp(TcpListener::from_std(listener)?, tls);
    app.start(socket, lifecycle, handle);
    Ok(())
}

/// Accepts on a Unix socket, in the runtime of `handle`.
pub(super) fn on_unix(
    listener: StdUnixListener,
    app: App,
    lifecycle: Lifecycle,
    handle: &Handle,
) -> io::Result<()> {
    let _entered = handle.enter();
    let socket = Socket::Unix(UnixListener::from_std(listener)?);
    app.start(socket, lifecycle, handle);
    Ok(())
}

impl App {
    /// A drain waits for the loop too: a client that connects afterwards finds the socket closed.
    fn start(self, socket: Socket, lifecycle: Lifecycle, handle: &Handle) {
        let tasks = self.connections().tasks.clone();
        let spare = matches!(self, Self::Admin(..)).then(Spare::new);
        tasks.spawn_on(accept_loop((socket, spare), self, lifecycle), handle);
    }

    fn connections(&self) -> &Connections {
        let (Self::Proxy(_, connections) | Self::Admin(_, connections)) = self;
        connections
    }

    /// Serves a connection in a task of its own.
    fn serve(&self, stream: Stream, tls: Option<&Tls>, draining: &watch::Receiver<bool>) {
        let draining = draining.clone();
        match self {
            Self::Proxy(current, connections) => {
                serve_proxy(current, connections, stream, tls, draining);
            }
            Self::Admin(admin, connections) => {
                let Some((stream, permit)) = connections.admit(stream, false) else { return };
                let admin = Arc::clone(admin);
                let serve = move |request| Arc::clone(&admin).exchange(request);
                let io = (TokioIo::new(stream), None);
                let serving = connections.door.serve(io, draining, serve);
                connections.tasks.spawn(serving.map(move |()| drop(permit)));
            }
        }
    }
}

async fn accept_loop((socket, spare): (Socket, Option<Spare>), app: App, mut lifecycle: Lifecycle) {
    loop {
        let accepting = *lifecycle.accepting.borrow_and_update();
        match accepting {
            Accepting::Closed => return,
            Accepting::Paused => {
                if lifecycle.accepting.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Accepting::Open => {}
        }
        tokio::select! {
            changed = lifecycle.accepting.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            accepted = socket.accept() => match accepted {
                Ok((stream, tls)) => {
                    app.serve(stream, tls, &lifecycle.draining);
                    spare.iter().for_each(Spare::refill);
                }
                Err(error) if is_of_connection(&error) => {}
                Err(error) if are_exhausted(&error) && spare.as_ref().is_some_and(Spare::release) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(ERROR_PAUSE).await;
                }
            },
        }
    }
}

/// Whether an error is one connection's, which ended before it was accepted (accept(2)).
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}

fn serve_proxy(
    current: &Arc<Current>,
    connections: &Connections,
    stream: Stream,
    tls: Option<&Tls>,
    draining: watch::Receiver<bool>,
) {
    let encryption = tls.and_then(Tls::handshake);
    let Some((stream, permit)) = connections.admit(stream, encryption.is_some()) else { return };
    let held = (permit, Held::one(&connections.open));
    let entrance = if matches!(stream, Either::Left(_)) { Entrance::Tcp } else { Entrance::Unix };
    let express = Some(Express::new(current, entrance));
    let current = Arc::clone(current);
    let serve = move |request| current.get().exchange(request, entrance);
    let Some(handshake) = encryption else {
        let io = (TokioIo::new(stream), express);
        let serving = connections.door.serve(io, draining, serve);
        connections.tasks.spawn(serving.map(move |()| drop(held)));
        return;
    };
    let door = connections.door.clone();
    connections.tasks.spawn(async move {
        if let Some(stream) = handshake.accept(stream, draining.clone()).await {
            door.serve((TokioIo::new(stream), express), draining, serve).await;
        }
        drop(held);
    });
}

/// Tells a client that there is no permit for another connection.
async fn turn_away(mut stream: Stream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
        x-larder-error: overloaded\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let written = timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
    if !matches!(written, Ok(Ok(()))) {
        tracing::debug!("a client over the limit of connections left before its response");
    }
}
