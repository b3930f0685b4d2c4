//! The side of the successor: waits for the sockets of the running process, and takes them.

use std::io::{self, Error, ErrorKind};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use tokio::net::{UnixListener as Waiting, UnixStream};
use tokio::time::timeout;

use super::message::{Message, UnixOffer, VERSION, receive, send};
use super::{OFFER_TIMEOUT, READY_TIMEOUT, UPGRADE_MODE};
use crate::config::Server;
use crate::server::Failure;
use crate::server::inherited::Inherited;
use crate::server::listeners::{Listeners, is_configured};
use crate::server::unix_socket::{bind, remove};

/// A process that waits for the sockets of the running one.
#[derive(Debug)]
pub(in crate::server) struct Successor {
    waiting: Waiting,
    path: String,
}

/// A hand-over whose sockets are here, before this process accepts.
#[derive(Debug)]
pub(in crate::server) struct Handover(UnixStream);

impl Successor {
    /// Binds the upgrade socket. The file of an earlier process that has ended is replaced.
    pub(in crate::server) async fn bind(path: &str) -> Result<Self, Failure> {
        let failed = |error| Failure::Bind(format!("server.upgrade_socket {path}"), error);
        let listener = bind(path, UPGRADE_MODE).await.map_err(failed)?;
        let waiting = Waiting::from_std(listener).map_err(failed)?;
        Ok(Self { waiting, path: path.to_owned() })
    }

    /// Waits for an offer, opens the listeners with it, and says so. Only a process of the same user is heard.
    pub(in crate::server) async fn listeners(
        self,
        server: &Server,
    ) -> Result<(Listeners, Handover), Failure> {
        tracing::info!(
            upgrade_socket = self.path,
            "ready; waiting for the running process to hand over its listeners (send it SIGQUIT)"
        );
        let taken = timeout(OFFER_TIMEOUT, self.take(server)).await;
        drop(self.waiting);
        remove(&self.path).await;
        taken.unwrap_or_else(|_| {
            let waited = OFFER_TIMEOUT.as_secs();
            let path = &self.path;
            let message = format!(
                "no process handed over its listeners at {path} within {waited} s; send SIGQUIT to \
                 the running one, which needs the same server.upgrade_socket"
            );
            Err(Failure::Start(message))
        })
    }

    async fn take(&self, server: &Server) -> Result<(Listeners, Handover), Failure> {
        loop {
            let offer = self.offer(server).await;
            let (stream, passed) = match offer {
                Ok(offer) => offer,
                Err(error) => {
                    tracing::warn!(%error, "an offer of listeners is not usable; still waiting");
                    continue;
                }
            };
            let opened = Listeners::open(server, passed).await;
            let answer = match &opened {
                Ok(_) => Message::Ready,
                Err(failure) => Message::Refused { reason: failure.to_string() },
            };
            let answered = send(&stream, &answer, &[]).await;
            let listeners = opened?;
            let taken = match answered {
                Ok(()) => receive(&stream, READY_TIMEOUT).await,
                Err(error) => Err(error),
            };
            match taken {
                Ok((Message::Take, _)) => return Ok((listeners, Handover(stream))),
                Ok((other, _)) => tracing::warn!(?other, "unexpected message; still waiting"),
                Err(error) => {
                    tracing::warn!(%error, "the running process kept its listeners; still waiting");
                }
            }
        }
    }

    /// The next offer of a process of the same user.
    async fn offer(&self, server: &Server) -> io::Result<(UnixStream, Inherited)> {
        let (stream, _) = self.waiting.accept().await?;
        if !is_same_user(&stream) {
            return Err(Error::new(ErrorKind::PermissionDenied, "it is another user's"));
        }
        let (message, sockets) = receive(&stream, Duration::from_secs(1)).await?;
        let passed = match message {
            Message::Offer { version: VERSION, unix } => passed(server, sockets, unix)?,
            Message::Offer { version, .. } => {
                let reason = format!("protocol version {version}, expected {VERSION}");
                send(&stream, &Message::Refused { reason: reason.clone() }, &[]).await?;
                return Err(Error::new(ErrorKind::InvalidData, reason));
            }
            other => {
                let message = format!("unexpected message {other:?}");
                return Err(Error::new(ErrorKind::InvalidData, message));
            }
        };
        Ok((stream, passed))
    }
}

impl Handover {
    /// Tells the running process that this one accepts from now on. An error says that the running process has
    /// kept its listeners.
    pub(in crate::server) async fn complete(self) -> Result<(), Failure> {
        send(&self.0, &Message::Serving, &[]).await.map_err(|error| {
            Failure::Start(format!("the running process has kept its listeners: {error}"))
        })
    }
}

/// The sockets that the configuration asks for; the others are closed, and bound anew as configured.
fn passed(
    server: &Server,
    sockets: Vec<OwnedFd>,
    unix: Option<UnixOffer>,
) -> io::Result<Inherited> {
    let mut sockets = sockets.into_iter();
    let mut tcp = |configured| -> io::Result<Option<TcpListener>> {
        let missing = || Error::new(ErrorKind::InvalidData, "a socket is missing");
        let listener = TcpListener::from(sockets.next().ok_or_else(missing)?);
        Ok(is_configured(&listener, configured).then_some(listener))
    };
    let (proxy, admin) = (tcp(server.listen)?, tcp(server.admin_listen)?);
    let unix =
        unix.zip(sockets.next()).map(|(offer, socket)| (UnixListener::from(socket), offer.is_lent));
    let unix = unix.filter(|(socket, is_lent)| is_wanted(server, socket, *is_lent));
    Ok(Inherited { proxy, admin, unix })
}

/// Whether a Unix socket is at the configured path, where clients still find it.
fn is_wanted(server: &Server, socket: &UnixListener, is_lent: bool) -> bool {
    let Some(path) = server.unix_socket.path().map(Path::new) else { return false };
    let at = socket.local_addr().ok();
    at.is_some_and(|at| at.as_pathname() == Some(path)) && (is_lent || path.exists())
}

/// Whether the process at the other end has this process's user, or is root.
pub(super) fn is_same_user(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}
