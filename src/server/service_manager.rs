//! Notifications to the service manager, as `sd_notify`(3) defines them.
//!
//! systemd passes the address of a datagram socket in `NOTIFY_SOCKET`. Without it nothing is sent.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;

const SOCKET: &str = "NOTIFY_SOCKET";

/// This process serves. After a hand-over it is the main process of the service from now on.
pub(super) fn ready() {
    notify(&format!("READY=1\nMAINPID={}\n", process::id()));
}

/// This process ends, and with it the service. Not for a process that has handed its listeners over.
pub(super) fn stopping() {
    notify("STOPPING=1\n");
}

fn notify(message: &str) {
    let Some(socket) = env::var_os(SOCKET).filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, message) {
        tracing::warn!(%error, "cannot notify the service manager (NOTIFY_SOCKET)");
    }
}

fn send(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => in_abstract_namespace(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}

#[cfg(target_os = "linux")]
fn in_abstract_namespace(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn in_abstract_namespace(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
