//! The side of the running process: offers its sockets, and gives them up once the successor accepts.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::message::{Message, UnixOffer, VERSION, receive, send};
use super::receive::is_same_user;
use super::{READY_TIMEOUT, SERVING_TIMEOUT};
use crate::server::accept::Accepting;
use crate::server::listeners::Listeners;

/// Offers the sockets to the process that waits at `path`. After an error this process accepts as before; the
/// error says why nothing was handed over.
pub(in crate::server) async fn offer(
    path: &str,
    listeners: &Listeners,
    accepting: &watch::Sender<Accepting>,
) -> Result<(), String> {
    let stream = connect(path).await?;
    let failed = |error: io::Error| format!("the new process at {path} failed: {error}");
    let unix = listeners.unix.as_ref();
    let offer = Message::Offer {
        version: VERSION,
        unix: unix.map(|socket| UnixOffer { is_lent: socket.file.is_lent }),
    };
    let mut sockets: Vec<BorrowedFd<'_>> = vec![listeners.proxy.as_fd(), listeners.admin.as_fd()];
    sockets.extend(unix.map(|socket| socket.listener.as_fd()));
    send(&stream, &offer, &sockets).await.map_err(failed)?;
    expect(&stream, &Message::Ready, READY_TIMEOUT).await.map_err(failed)?;
    let pause = Pause::start(accepting);
    send(&stream, &Message::Take, &[]).await.map_err(failed)?;
    expect(&stream, &Message::Serving, SERVING_TIMEOUT).await.map_err(failed)?;
    pause.keep();
    Ok(())
}

async fn connect(path: &str) -> Result<UnixStream, String> {
    let connecting = timeout(Duration::from_secs(1), UnixStream::connect(path)).await;
    let stream =
        connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
            format!(
                "no new process waits at {path} ({error}); start one with --upgrade and the same \
             server.upgrade_socket, then send SIGQUIT again"
            )
        })?;
    if is_same_user(&stream) {
        Ok(stream)
    } else {
        Err(format!("the process that waits at {path} belongs to another user"))
    }
}

async fn expect(stream: &UnixStream, expected: &Message, within: Duration) -> io::Result<()> {
    match receive(stream, within).await? {
        (message, _) if message == *expected => Ok(()),
        (Message::Refused { reason }, _) => Err(io::Error::other(reason)),
        (other, _) => Err(io::Error::other(format!("unexpected message {other:?}"))),
    }
}

/// Pauses the accept loops. Dropped, it lets them go on: also where a signal ends the hand-over midway.
struct Pause<'a>(Option<&'a watch::Sender<Accepting>>);

impl<'a> Pause<'a> {
    fn start(accepting: &'a watch::Sender<Accepting>) -> Self {
        accepting.send_replace(Accepting::Paused);
        Self(Some(accepting))
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        if let Some(accepting) = self.0 {
            accepting.send_replace(Accepting::Open);
        }
    }
}
