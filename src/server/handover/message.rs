//! The messages of a hand-over: one line of JSON each, the first with the sockets beside it.

use std::io::{self, Error, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Version of this protocol. A process refuses an offer of another one.
pub(super) const VERSION: u32 = 1;

/// Maximum length of a message in bytes. A socket's path has at most 107, a reason is cut.
const MAX_LENGTH: usize = 4_096;

/// Maximum number of sockets beside a message: proxy, admin, Unix.
const MAX_SOCKETS: usize = 3;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub(super) enum Message {
    /// The sockets of the running process: proxy, admin and, where `unix` says so, the Unix socket.
    Offer {
        version: u32,
        unix: Option<UnixOffer>,
    },
    Ready,
    Refused {
        reason: String,
    },
    Take,
    Serving,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UnixOffer {
    pub(super) is_lent: bool,
}

/// Sends a message and sockets.
pub(super) async fn send(
    stream: &UnixStream,
    message: &Message,
    sockets: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let sent = stream.async_io(Interest::WRITABLE, || send_once(stream, &line, sockets)).await?;
    // A socket's buffer holds far more than one message.
    if sent == line.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}

fn send_once(stream: &UnixStream, line: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(Error::new(ErrorKind::InvalidInput, "too many sockets for one message"));
    }
    Ok(sendmsg(stream, &[IoSlice::new(line)], &mut ancillary, SendFlags::NOSIGNAL)?)
}

/// Receives the next message within a time, and the sockets beside it.
pub(super) async fn receive(
    stream: &UnixStream,
    within: Duration,
) -> io::Result<(Message, Vec<OwnedFd>)> {
    let receiving = async {
        let (mut line, mut sockets) = (Vec::new(), Vec::new());
        loop {
            let read = || receive_once(stream, &mut line, &mut sockets);
            let count = stream.async_io(Interest::READABLE, read).await?;
            if count == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the connection was closed"));
            }
            if line.last() == Some(&b'\n') {
                let message = serde_json::from_slice(&line);
                let message = message.map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
                return Ok((message, sockets));
            }
            if line.len() >= MAX_LENGTH {
                return Err(Error::new(ErrorKind::InvalidData, "a message is too long"));
            }
        }
    };
    let late = |_| Error::new(ErrorKind::TimedOut, format!("no message within {within:?}"));
    timeout(within, receiving).await.map_err(late)?
}

fn receive_once(
    stream: &UnixStream,
    line: &mut Vec<u8>,
    sockets: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut buffer = [0; MAX_LENGTH];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let received = recvmsg(stream, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            sockets.extend(passed);
        }
    }
    line.extend_from_slice(buffer.get(..received.bytes).unwrap_or_default());
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn sockets_arrive_beside_their_message() {
        let (one, other) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let offer = Message::Offer { version: VERSION, unix: Some(UnixOffer { is_lent: true }) };
        send(&one, &offer, &[listener.as_fd(), listener.as_fd()]).await.unwrap();
        let (message, sockets) = receive(&other, SECOND).await.unwrap();
        assert_eq!(message, offer);
        assert_eq!(sockets.len(), 2);
        for socket in sockets {
            let passed = TcpListener::from(socket).local_addr().unwrap();
            assert_eq!(passed, listener.local_addr().unwrap());
        }
    }

    #[tokio::test]
    async fn malformed_messages_are_errors() {
        for bytes in ["\n", "{}\n", "{\"message\":\"none\"}\n", "[1]\n", &"x".repeat(5_000)] {
            let (one, other) = UnixStream::pair().unwrap();
            one.try_write(bytes.as_bytes()).unwrap();
            assert_eq!(receive(&other, SECOND).await.unwrap_err().kind(), ErrorKind::InvalidData);
        }
        let (one, other) = UnixStream::pair().unwrap();
        drop(one);
        assert_eq!(receive(&other, SECOND).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let (_one, other) = UnixStream::pair().unwrap();
        let late = receive(&other, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
    }
}
