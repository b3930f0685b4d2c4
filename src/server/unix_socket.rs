//! The Unix socket for clients on this machine.
//!
//! Owns the socket's file: larder makes it, and removes it after the last listener. A socket that was passed
//! in (systemd) is lent: its file keeps its mode, and stays when larder ends.

use std::fs::{self, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::net::listen;
use tokio::net::UnixStream;

use super::listeners::BACKLOG;
use crate::config::socket_path::SocketPath;
use crate::config::units::Setting;

/// Mode of the client socket: the owner and its group may connect.
pub(super) const CLIENT_MODE: u32 = 0o660;

/// A Unix socket that accepts clients, and the file that it is bound to.
#[derive(Debug)]
pub(super) struct UnixSocket {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

/// The file of a Unix socket.
#[derive(Debug, Clone)]
pub(super) struct SocketFile {
    pub(super) path: String,
    /// Whether another program owns the file.
    pub(super) is_lent: bool,
}

impl UnixSocket {
    /// Binds a socket of larder's own.
    pub(super) async fn bind(path: &str) -> Result<Self> {
        let listener = bind(path, CLIENT_MODE).await?;
        Ok(Self { listener, file: SocketFile { path: path.to_owned(), is_lent: false } })
    }

    /// A socket that was passed in, under the path that it is bound to.
    pub(super) fn passed(listener: UnixListener, is_lent: bool) -> Result<Self> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidInput, message);
        let address = listener.local_addr()?;
        let path = address.as_pathname().and_then(Path::to_str);
        let path = path.ok_or_else(|| invalid("it has no file".to_owned()))?.to_owned();
        SocketPath::parse(&path).map_err(invalid)?;
        Ok(Self { listener, file: SocketFile { path, is_lent } })
    }
}

impl SocketFile {
    /// Removes the file of a socket of larder's own, unless a process still listens on it.
    pub(super) async fn remove(&self) {
        // A probe is a connection, for which systemd would start larder again.
        if !self.is_lent {
            remove(&self.path).await;
        }
    }
}

/// Listens at a path. Replaces the socket of a process that has ended; any other file is an error.
pub(super) async fn bind(path: &str, mode: u32) -> Result<UnixListener> {
    if is_abandoned(path).await? {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    listen(&listener, BACKLOG)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes the file, unless another process listens on it: the one that took it over, or one that started
/// while this one ended.
pub(super) async fn remove(path: &str) {
    match is_abandoned(path).await {
        Ok(false) => {}
        Ok(true) => {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path, %error, "cannot remove the Unix socket's file");
            }
        }
        Err(error) => tracing::debug!(path, %error, "the Unix socket's file is not removed"),
    }
}

/// Whether a path is that of a socket without a listener; false where there is no file.
async fn is_abandoned(path: &str) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            let message = "there is a file that is not a socket";
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        Ok(_) => {}
    }
    // Not the blocking call, which would wait while the queue of a process that hangs is full.
    match UnixStream::connect(path).await {
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "another process listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(true),
        Err(error) => {
            let message = format!("there is a socket that may be in use: {error}");
            Err(Error::new(ErrorKind::AddrInUse, message))
        }
    }
}
