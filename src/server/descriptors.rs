//! File descriptors: the limit of the process, the share of clients, and a reserve for the admin listener.

use std::fs::File;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Descriptors that no client gets: those of the process itself, its files, and the admin listener.
const RESERVED: u64 = 64;

/// Descriptors that the admin listener holds back, for connections that come when no other is left.
const SPARE: usize = 8;

/// Limit that a process raises itself to. Some systems allow a billion, and tables grow with the limit.
const MOST: u64 = 1 << 20;

/// The limit that the process was started with.
static INHERITED: OnceLock<Rlimit> = OnceLock::new();

/// Raises the limit of open files to the hard limit.
pub(super) fn raise() {
    let inherited = *INHERITED.get_or_init(|| getrlimit(Resource::Nofile));
    let hard = inherited.maximum.unwrap_or(MOST).min(MOST);
    if inherited.current.is_some_and(|soft| soft < hard) {
        set(Rlimit { current: Some(hard), ..inherited });
    }
}

/// Runs what starts another program under the limit that this process was started with. Some programs visit
/// all descriptors up to their limit.
pub fn with_inherited_limit<T>(start: impl FnOnce() -> T) -> T {
    let raised = getrlimit(Resource::Nofile);
    let inherited = INHERITED.get().filter(|inherited| inherited.current != raised.current);
    if let Some(inherited) = inherited {
        set(*inherited);
    }
    let started = start();
    if inherited.is_some() {
        set(raised);
    }
    started
}

fn set(limit: Rlimit) {
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Maximum number of client connections: as configured, as far as the limit allows. Each may need a
/// connection to a provider too.
pub(super) fn clients(config: &Config) -> usize {
    let configured = config.server.max_connections;
    let wanted = configured as usize;
    let Some(limit) = getrlimit(Resource::Nofile).current else { return wanted };
    let of_providers = config.providers.values().map(|one| u64::from(one.max_connections)).sum();
    let clients = share(limit, of_providers, wanted);
    if clients < wanted {
        let message = format!(
            "server.max_connections is {configured}, and the limit of open files ({limit}) allows \
             {clients} connections of clients; raise it (ulimit -n, LimitNOFILE), or lower \
             server.max_connections"
        );
        // A default that is too high for a machine is no mistake of its operator.
        if config.sources.has("server.max_connections") {
            tracing::warn!("{message}");
        } else {
            tracing::info!("{message}");
        }
    }
    clients
}

/// Providers get what they may use, but not more than half.
fn share(limit: u64, of_providers: u64, wanted: usize) -> usize {
    let free = limit.saturating_sub(RESERVED);
    let allowed = free.saturating_sub(of_providers).max(free / 2);
    usize::try_from(allowed).unwrap_or(usize::MAX).clamp(1, wanted.max(1))
}

/// Whether an error says that no descriptor is left, in the process or in the system.
pub(super) fn are_exhausted(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Descriptors that are held back.
pub(super) struct Spare(Mutex<Vec<File>>);

impl Spare {
    pub(super) fn new() -> Self {
        let spare = Self(Mutex::default());
        spare.refill();
        spare
    }

    /// Frees one; false if there is none.
    pub(super) fn release(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().is_some()
    }

    /// Takes as many as there are to be, as far as they are free.
    pub(super) fn refill(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while held.len() < SPARE {
            let Ok(file) = File::open("/dev/null") else { return };
            held.push(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_descriptors_for_providers_and_the_process() {
        assert_eq!(share(65_536, 2_000, 16_384), 16_384);
        assert_eq!(share(20_000, 2_000, 18_000), 17_936);
        assert_eq!(share(1_024, 2_000, 16_384), 480);
        assert_eq!(share(96, 2_000, 16_384), 16);
        assert_eq!(share(20, 2_000, 16_384), 1);
        assert_eq!(share(u64::MAX, u64::MAX, 3), 3);
    }

    #[test]
    fn a_spare_descriptor_is_freed_and_taken_again() {
        let spare = Spare::new();
        for _ in 0..SPARE {
            assert!(spare.release());
        }
        assert!(!spare.release());
        spare.refill();
        assert!(spare.release());
    }
}
