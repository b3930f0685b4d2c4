//! Sockets that the process was started with, as systemd passes them (`sd_listen_fds`(3)). Each takes the
//! place of an address of the configuration, and stays the property of who passed it: it goes on to
//! take connections while larder is not there.

use std::env::{self, VarError};
use std::io::{self, Error, ErrorKind};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use rustix::io::ioctl_fionbio;
use rustix::net::sockopt::socket_acceptconn;

use super::Failure;

/// How many there are places for.
const PLACES: usize = 3;

/// The sockets, by what is behind them.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(super) proxy: Option<TcpListener>,
    pub(super) admin: Option<TcpListener>,
    /// With whether its file belongs to the program that passed it.
    pub(super) unix: Option<(UnixListener, bool)>,
}

impl Inherited {
    /// Takes those that the environment tells of. To be called before anything else is opened: they
    /// are known by their numbers alone.
    pub fn take() -> Result<Self, Failure> {
        let wrong = |what: String| move |error| Failure::Bind(what, error);
        let count = count().map_err(wrong("the sockets of LISTEN_FDS".to_owned()))?;
        let mut taken = Self::default();
        if count == 0 {
            return Ok(taken);
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').map(said);
        let mut sockets = ListenFd::from_env();
        for index in 0..count {
            let name = names.next().flatten();
            let called = name.map(|name| format!(" ({name:?})")).unwrap_or_default();
            let placed = taken.place(&mut sockets, (index, name));
            placed.map_err(wrong(format!("socket {} of LISTEN_FDS{called}", index + 1)))?;
        }
        Ok(taken)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.proxy.is_none() && self.admin.is_none() && self.unix.is_none()
    }

    fn place(
        &mut self,
        sockets: &mut ListenFd,
        (index, name): (usize, Option<&str>),
    ) -> io::Result<()> {
        match name {
            Some("proxy") => put(&mut self.proxy, sockets.take_tcp_listener(index)?),
            Some("admin") => put(&mut self.admin, sockets.take_tcp_listener(index)?),
            Some("unix") => self.place_unix(sockets.take_unix_listener(index)?),
            Some(_) => Err(invalid("it must be called proxy, admin or unix")),
            None => {
                // One that is of another kind stays where it is.
                if let Ok(unix @ Some(_)) = sockets.take_unix_listener(index) {
                    return self.place_unix(unix);
                }
                let first = self.proxy.is_none();
                let place = if first { &mut self.proxy } else { &mut self.admin };
                put(place, sockets.take_tcp_listener(index)?)
            }
        }
    }

    fn place_unix(&mut self, socket: Option<UnixListener>) -> io::Result<()> {
        let mut place = self.unix.take().map(|(socket, _)| socket);
        put(&mut place, socket)?;
        self.unix = place.map(|socket| (socket, true));
        Ok(())
    }
}

/// How many the environment says that this process has.
fn count() -> io::Result<usize> {
    let own = |pid: String| pid == std::process::id().to_string();
    if !env::var("LISTEN_PID").is_ok_and(own) {
        return Ok(0);
    }
    let count = match env::var("LISTEN_FDS") {
        Ok(count) => count,
        Err(VarError::NotPresent) => return Ok(0),
        Err(error) => return Err(invalid(&error.to_string())),
    };
    match count.parse() {
        Ok(count) if count <= PLACES => Ok(count),
        Ok(count) => Err(invalid(&format!("there are {count}, and places for {PLACES}"))),
        Err(_) => Err(invalid(&format!("{count:?} is not a number of them"))),
    }
}

/// A name, where it is one that somebody chose: without `FileDescriptorName=` systemd says the unit's.
fn said(name: &str) -> Option<&str> {
    let chosen = !name.is_empty() && name != "unknown" && !name.ends_with(".socket");
    chosen.then_some(name)
}

fn put<S: AsFd>(place: &mut Option<S>, socket: Option<S>) -> io::Result<()> {
    if place.is_some() {
        return Err(invalid("another one has its place"));
    }
    let socket = socket.ok_or_else(|| invalid("it is not there"))?;
    if !socket_acceptconn(&socket)? {
        return Err(invalid("it does not listen"));
    }
    ioctl_fionbio(&socket, true)?;
    *place = Some(socket);
    Ok(())
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
