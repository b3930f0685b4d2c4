//! The listening sockets of a process.
//!
//! Owns how they are opened: bound as configured, or passed in by systemd or by the process before. All are
//! open before the first request is served, so that an address in use is an error at the start, and port 0
//! has a number. Does not know what is served on them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::net::listen;

use super::Failure;
use super::inherited::Inherited;
use super::unix_socket::{SocketFile, UnixSocket};
use crate::config::Server;
use crate::config::units::is_loopback;

/// The real addresses of a running sidecar.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The proxy's listener, for applications.
    pub proxy: SocketAddr,
    /// The admin listener: status page, metrics, health.
    pub admin: SocketAddr,
    /// The proxy's Unix socket, where one is configured.
    pub unix: Option<String>,
}

/// Every listening socket of a process.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) proxy: TcpListener,
    pub(super) admin: TcpListener,
    pub(super) unix: Option<UnixSocket>,
}

impl Listeners {
    /// Takes the sockets that were passed in, and binds the others as configured. The Unix socket comes last:
    /// a process that cannot have the addresses has not touched its file.
    pub(super) async fn open(server: &Server, passed: Inherited) -> Result<Self, Failure> {
        let proxy = passed.proxy.map_or_else(|| bind(server.listen), Ok)?;
        let admin = passed.admin.map_or_else(|| bind(server.admin_listen), Ok)?;
        let at = admin.local_addr().unwrap_or(server.admin_listen);
        if server.admin_token.expose().is_empty() && !is_loopback(at.ip()) {
            let message = format!(
                "is not set, and the admin socket that was passed is at {at}, not on loopback; set it \
                 (LARDER_ADMIN_TOKEN)"
            );
            return Err(Failure::config("server.admin_token", message));
        }
        let failed = |path: &str| {
            let path = path.to_owned();
            move |error| Failure::Bind(path, error)
        };
        let unix = match (passed.unix, server.unix_socket.path()) {
            (Some((socket, is_lent)), _) => {
                let socket = UnixSocket::passed(socket, is_lent);
                Some(socket.map_err(failed("the Unix socket of LISTEN_FDS"))?)
            }
            (None, None) => None,
            (None, Some(path)) => Some(UnixSocket::bind(path).await.map_err(failed(path))?),
        };
        Ok(Self { proxy, admin, unix })
    }

    /// The real addresses.
    pub(super) fn addresses(&self) -> Result<Addresses, Failure> {
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|error| Failure::Start(error.to_string()))
        };
        let unix = self.unix_file().map(|file| file.path);
        Ok(Addresses { proxy: address(&self.proxy)?, admin: address(&self.admin)?, unix })
    }

    pub(super) fn unix_file(&self) -> Option<SocketFile> {
        self.unix.as_ref().map(|socket| socket.file.clone())
    }

    /// The same sockets under descriptors of their own, for a process that takes them over.
    pub(super) fn try_clone(&self) -> Result<Self, Failure> {
        let clone = || {
            let unix = self.unix.as_ref().map(|socket| {
                let listener = socket.listener.try_clone()?;
                io::Result::Ok(UnixSocket { listener, file: socket.file.clone() })
            });
            Ok(Self {
                proxy: self.proxy.try_clone()?,
                admin: self.admin.try_clone()?,
                unix: unix.transpose()?,
            })
        };
        clone().map_err(|error: io::Error| Failure::Start(error.to_string()))
    }
}

/// Maximum number of connections that wait to be accepted. The kernel cuts it to `net.core.somaxconn`; the standard
/// library's own 128 refuses a part of a burst.
pub(super) const BACKLOG: i32 = 4_096;

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let open = || -> io::Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|error| Failure::Bind(address.to_string(), error))
}

/// Whether a socket that was handed over is the one that the configuration asks for; port 0 is any port.
pub(super) fn is_configured(listener: &TcpListener, configured: SocketAddr) -> bool {
    let is_same = |address: SocketAddr| {
        address == configured || (configured.port() == 0 && configured.ip() == address.ip())
    };
    listener.local_addr().is_ok_and(is_same)
}
