//! A socket file as pingora is to listen on it: larder's own, or lent by who started larder with it. What
//! is lent keeps its mode, and stays when larder ends; a process that takes it over knows by its name.

use std::io::{self, Error, ErrorKind, PipeReader};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use pingora_core::listeners::ListenerConfig;
use pingora_core::server::ListenFds;

use super::{Failure, socket};
use crate::config::socket_path::SocketPath;
use crate::config::units::Setting;

/// A socket file that is listened on.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: String,
    lent: AtomicBool,
    /// pingora sets the mode of the path that it listens on, which may be another user's. What is lent
    /// it knows by the path of this: any open descriptor would do.
    stand_in: PipeReader,
}

impl SocketFile {
    /// At a path of the configuration.
    pub(super) fn at(path: &str) -> Result<Self, Failure> {
        let (stand_in, _) = io::pipe().map_err(|error| Failure::Start(error.to_string()))?;
        Ok(Self { path: path.to_owned(), lent: AtomicBool::new(false), stand_in })
    }

    /// That of a socket which the process was started with.
    pub(super) fn lent(socket: &UnixListener) -> Result<Self, Failure> {
        let wrong = |error| Failure::Bind("the Unix socket of LISTEN_FDS".to_owned(), error);
        let invalid = |message| wrong(Error::new(ErrorKind::InvalidInput, message));
        let address = socket.local_addr().map_err(wrong)?;
        let path = address.as_pathname().and_then(Path::to_str);
        let path = path.ok_or_else(|| invalid("it has no file".to_owned()))?;
        SocketPath::parse(path).map_err(invalid)?;
        let file = Self::at(path)?;
        file.lent.store(true, Ordering::Relaxed);
        Ok(file)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What it may be handed over by, and what pingora may know it by.
    pub(super) fn names(&self) -> [String; 3] {
        [self.path.clone(), self.lent_name(), self.stand_in_path()]
    }

    /// Puts it where pingora looks for it, and says how pingora is to take it; `None` where it cannot
    /// be had.
    pub(super) async fn ready(
        &self,
        open: Option<OwnedFd>,
        fds: &ListenFds,
    ) -> Option<ListenerConfig> {
        let handed_over = fds.lock().get(&self.lent_name()).copied();
        if handed_over.is_some() {
            self.lent.store(true, Ordering::Relaxed);
        }
        let open = open.map(IntoRawFd::into_raw_fd).or(handed_over);
        let name = if self.is_lent() { self.stand_in_path() } else { self.path.clone() };
        match open {
            Some(open) => {
                fds.lock().add(name.clone(), open);
                if self.is_lent() {
                    fds.lock().add(self.lent_name(), open);
                }
            }
            None if self.was_handed_over(fds) => {}
            // The process before had none, or its file is gone. pingora would open one itself, over
            // whatever is there.
            None => match socket::bind(&name).await {
                Ok(socket) => fds.lock().add(name.clone(), socket.into_raw_fd()),
                Err(error) => {
                    tracing::error!(path = name, %error, "cannot listen there; going on without it");
                    return None;
                }
            },
        }
        Some(ListenerConfig::uds(name).permissions(socket::permissions()))
    }

    /// Removes the file with its last listener, unless it was lent.
    pub(super) async fn leave(&self) {
        // To look for a listener would be a connection, which larder would be started anew for.
        if !self.is_lent() {
            socket::remove(&self.path).await;
        }
    }

    fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Relaxed)
    }

    fn was_handed_over(&self, fds: &ListenFds) -> bool {
        fds.lock().get(&self.path).is_some() && Path::new(&self.path).exists()
    }

    fn lent_name(&self) -> String {
        format!("lent:{}", self.path)
    }

    /// With the number of the process: one that takes over has been handed the name of the one before.
    fn stand_in_path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.stand_in.as_raw_fd())
    }
}
