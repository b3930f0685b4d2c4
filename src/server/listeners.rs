//! What is listened on: opened before pingora runs, so that an address that is taken is an error rather
//! than a retry, and port 0 has a number; or handed over by a running process.

use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::Path;

use pingora_core::listeners::{L4BufferSettings, ListenerConfig};
use pingora_core::server::ListenFds;

use super::{Failure, socket};
use crate::config::Server;

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

impl Addresses {
    /// All of them, under the names that they are handed over by.
    pub(super) fn names(&self) -> HashSet<String> {
        let tcp = [self.proxy, self.admin].map(|address| address.to_string());
        tcp.into_iter().chain(self.unix.clone()).collect()
    }
}

/// Every listener, and where they are.
pub(super) struct Listeners {
    pub(super) proxy: Vec<Listener>,
    pub(super) admin: Vec<Listener>,
    pub(super) addresses: Addresses,
}

impl Listeners {
    /// Opens what is configured. The socket file comes last: who cannot have the addresses has not
    /// touched it.
    pub(super) async fn open(server: &Server) -> Result<Self, Failure> {
        let (proxy, admin) = (bind(server.listen)?, bind(server.admin_listen)?);
        let path = server.unix_socket.path();
        let unix = match path {
            None => None,
            Some(path) => {
                let bound = socket::bind(path).await;
                Some(bound.map_err(|error| Failure::Bind(path.to_owned(), error))?)
            }
        };
        let addresses = Addresses {
            proxy: proxy.local_addr().unwrap_or(server.listen),
            admin: admin.local_addr().unwrap_or(server.admin_listen),
            unix: path.map(str::to_owned),
        };
        Ok(Self::of(addresses, [Some(proxy.into()), Some(admin.into()), unix.map(Into::into)]))
    }

    /// Those that a running process hands over.
    pub(super) fn handed_over(server: &Server) -> Self {
        let addresses = Addresses {
            proxy: server.listen,
            admin: server.admin_listen,
            unix: server.unix_socket.path().map(str::to_owned),
        };
        Self::of(addresses, [None, None, None])
    }

    fn of(addresses: Addresses, [proxy, admin, unix]: [Option<OwnedFd>; 3]) -> Self {
        let tcp = |address: SocketAddr, open| Listener {
            name: address.to_string(),
            is_file: false,
            open,
        };
        let path = addresses.unix.clone();
        let unix = path.map(|name| Listener { name, is_file: true, open: unix });
        let proxy = [tcp(addresses.proxy, proxy)].into_iter().chain(unix).collect();
        Self { proxy, admin: vec![tcp(addresses.admin, admin)], addresses }
    }
}

/// One listener.
pub(super) struct Listener {
    /// What it is handed over by: its address, or its path.
    pub(super) name: String,
    is_file: bool,
    open: Option<OwnedFd>,
}

impl Listener {
    /// Puts it where pingora looks for it, and says how pingora is to take it; `None` where it cannot
    /// be had.
    pub(super) async fn ready(&mut self, fds: &ListenFds) -> Option<ListenerConfig> {
        // hyper has buffers of its own.
        let buffers = L4BufferSettings::unbuffered();
        if let Some(open) = self.open.take() {
            fds.lock().add(self.name.clone(), open.into_raw_fd());
        } else if self.is_file && !self.was_handed_over(fds) {
            // The process before had none, or its file is gone. pingora would open one itself, over
            // whatever is there.
            match socket::bind(&self.name).await {
                Ok(socket) => fds.lock().add(self.name.clone(), socket.into_raw_fd()),
                Err(error) => {
                    let path = &self.name;
                    tracing::error!(path, %error, "cannot listen there; going on without it");
                    return None;
                }
            }
        }
        let config = if self.is_file {
            ListenerConfig::uds(&self.name).permissions(socket::permissions())
        } else {
            ListenerConfig::tcp(&self.name)
        };
        Some(config.l4_buffer(buffers))
    }

    fn was_handed_over(&self, fds: &ListenFds) -> bool {
        fds.lock().get(&self.name).is_some() && Path::new(&self.name).exists()
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
