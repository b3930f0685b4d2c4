//! What is listened on: opened before pingora runs, so that an address that is taken is an error rather
//! than a retry, and port 0 has a number; or there already, from who started the process or from one
//! that hands over.

use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::Arc;

use pingora_core::listeners::{L4BufferSettings, ListenerConfig};
use pingora_core::server::ListenFds;

use super::inherited::Inherited;
use super::socket_file::SocketFile;
use super::{Failure, Source, socket};
use crate::config::Server;
use crate::config::units::is_loopback;

/// The real addresses of a running sidecar.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Where applications connect.
    pub proxy: SocketAddr,
    /// Where metrics and health are.
    pub admin: SocketAddr,
    /// Where applications on this machine connect, if they have a socket of their own.
    pub unix: Option<String>,
}

/// Every listener, and where they are.
pub(super) struct Listeners {
    pub(super) proxy: Vec<Listener>,
    pub(super) admin: Vec<Listener>,
    pub(super) file: Option<Arc<SocketFile>>,
    pub(super) addresses: Addresses,
}

impl Listeners {
    /// Those of a source.
    pub(super) async fn of(server: &Server, source: Source) -> Result<Self, Failure> {
        match source {
            Source::Opened(inherited) => Self::open(server, inherited).await,
            Source::HandedOver => Self::handed_over(server),
        }
    }

    /// Opens what is configured and not inherited. The socket file comes last: who cannot have the
    /// addresses has not touched it.
    async fn open(server: &Server, inherited: Inherited) -> Result<Self, Failure> {
        let open = |inherited: Option<_>, address| inherited.map_or_else(|| bind(address), Ok);
        let proxy = open(inherited.proxy, server.listen)?;
        let admin = open(inherited.admin, server.admin_listen)?;
        let at = admin.local_addr().unwrap_or(server.admin_listen);
        if server.admin_token.expose().is_empty() && !is_loopback(at.ip()) {
            let message = format!(
                "is not set, and the admin socket that was passed is at {at}, not on loopback; set it \
                 (LARDER_ADMIN_TOKEN)"
            );
            return Err(Failure::config("server.admin_token", message));
        }
        let (file, unix) = match (inherited.unix, server.unix_socket.path()) {
            (Some(socket), _) => (Some(SocketFile::lent(&socket)?), Some(socket)),
            (None, None) => (None, None),
            (None, Some(path)) => {
                let (file, bound) = (SocketFile::at(path)?, socket::bind(path).await);
                let bound = bound.map_err(|error| Failure::Bind(path.to_owned(), error))?;
                (Some(file), Some(bound))
            }
        };
        let addresses = Addresses {
            proxy: proxy.local_addr().unwrap_or(server.listen),
            admin: at,
            unix: file.as_ref().map(|file| file.path().to_owned()),
        };
        let sockets = [Some(proxy.into()), Some(admin.into()), unix.map(Into::into)];
        Ok(Self::at(addresses, file, sockets))
    }

    /// Those that a running process hands over.
    fn handed_over(server: &Server) -> Result<Self, Failure> {
        let path = server.unix_socket.path();
        let addresses = Addresses {
            proxy: server.listen,
            admin: server.admin_listen,
            unix: path.map(str::to_owned),
        };
        let file = path.map(SocketFile::at).transpose()?;
        Ok(Self::at(addresses, file, [None, None, None]))
    }

    fn at(
        addresses: Addresses,
        file: Option<SocketFile>,
        [proxy, admin, unix]: [Option<OwnedFd>; 3],
    ) -> Self {
        let tcp = |address: SocketAddr, open| Listener { place: Place::Address(address), open };
        let file = file.map(Arc::new);
        let unix = file.clone().map(|file| Listener { place: Place::File(file), open: unix });
        let proxy = [tcp(addresses.proxy, proxy)].into_iter().chain(unix).collect();
        Self { proxy, admin: vec![tcp(addresses.admin, admin)], file, addresses }
    }

    /// The names that they may be handed over by.
    pub(super) fn names(&self) -> HashSet<String> {
        let tcp = [self.addresses.proxy, self.addresses.admin].map(|address| address.to_string());
        let file = self.file.iter().flat_map(|file| file.names());
        tcp.into_iter().chain(file).collect()
    }
}

/// One listener, and its socket where it is open already.
pub(super) struct Listener {
    place: Place,
    open: Option<OwnedFd>,
}

enum Place {
    Address(SocketAddr),
    File(Arc<SocketFile>),
}

impl Listener {
    /// Puts it where pingora looks for it, and says how pingora is to take it; `None` where it cannot
    /// be had.
    pub(super) async fn ready(&mut self, fds: &ListenFds) -> Option<ListenerConfig> {
        let open = self.open.take();
        let config = match &self.place {
            Place::Address(address) => {
                let name = address.to_string();
                if let Some(open) = open {
                    fds.lock().add(name.clone(), open.into_raw_fd());
                }
                ListenerConfig::tcp(name)
            }
            Place::File(file) => file.ready(open, fds).await?,
        };
        // hyper has buffers of its own.
        Some(config.l4_buffer(L4BufferSettings::unbuffered()))
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let open = || -> io::Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        // pingora takes a socket over as it is, and would block a thread in accept.
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|error| Failure::Bind(address.to_string(), error))
}
