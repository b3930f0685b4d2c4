//! The threads of a process, as runtimes of tokio.

use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::Failure;
use crate::config::Server;

/// Time for blocking work that is still under way when the process ends.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

/// The runtimes that serve connections. The admin listener has a thread of its own: it answers when all of the
/// proxy's are busy.
#[derive(Debug)]
pub(super) struct Threads {
    proxy: Runtime,
    admin: Runtime,
}

impl Threads {
    /// Starts as many threads for the proxy as the settings say; 0 is one a core.
    pub(super) fn start(server: &Server) -> Result<Self, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if server.threads == 0 { cores } else { server.threads as usize };
        Ok(Self { proxy: pool("larder proxy", threads)?, admin: pool("larder admin", 1)? })
    }

    pub(super) fn proxy(&self) -> &Handle {
        self.proxy.handle()
    }

    pub(super) fn admin(&self) -> &Handle {
        self.admin.handle()
    }

    /// Ends whatever still runs on them.
    pub(super) fn stop(self) {
        self.proxy.shutdown_timeout(BLOCKING_GRACE);
        self.admin.shutdown_timeout(BLOCKING_GRACE);
    }
}

/// The runtime of the main thread: the start, signals, and the end.
pub(super) fn main_runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Start(error.to_string()))
}

fn pool(name: &str, threads: usize) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.enable_all().worker_threads(threads).thread_name(name).build();
    runtime.map_err(|error| Failure::Start(format!("cannot start threads: {error}")))
}
