//! The socket file for clients on this machine. It belongs to whoever listens on it, and goes with the
//! last one who does.

use std::fs::{self, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;

use tokio::net::UnixStream;

/// Who may connect: the owner and its group.
pub(super) fn permissions() -> Permissions {
    Permissions::from_mode(0o660)
}

/// Listens at a path. A socket that a dead process left there is replaced; whatever else is there is
/// somebody's, and stays.
pub(super) async fn bind(path: &str) -> Result<UnixListener> {
    if is_left(path).await? {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, permissions())?;
    // pingora takes a socket over as it is, and would block a thread in accept.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes the file, unless somebody listens on it: the process that it was handed over to, or one that
/// began while this one ended.
pub(super) async fn remove(path: &str) {
    match is_left(path).await {
        Ok(false) => {}
        Ok(true) => {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path, %error, "the socket file stays behind");
            }
        }
        Err(error) => tracing::debug!(path, %error, "the socket file stays where it is"),
    }
}

/// Whether a path is that of a socket that nobody listens on; false is that nothing is there.
async fn is_left(path: &str) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            let message = "there is a file that is not a socket";
            return Err(Error::new(ErrorKind::AlreadyExists, message));
        }
        Ok(_) => {}
    }
    // Not the blocking way, which would wait as long as the queue of a process that hangs is full.
    match UnixStream::connect(path).await {
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "another process listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(true),
        Err(error) => {
            let message = format!("there is a socket that may be in use: {error}");
            Err(Error::new(ErrorKind::AddrInUse, message))
        }
    }
}
