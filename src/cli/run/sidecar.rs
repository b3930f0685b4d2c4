//! The sidecar beside the command: on a thread of its own, until it is told.

use std::thread::{self, JoinHandle};

use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;

use super::super::Failure;
use crate::config::Config;
use crate::server::{self, Addresses, Ends, Inherited, Read, Run, Source};

/// A sidecar that starts, or runs.
#[derive(Debug)]
pub(super) struct Sidecar {
    announced: oneshot::Receiver<Addresses>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<(), server::Failure>>,
}

impl Sidecar {
    pub(super) fn start(config: Config, read: Read) -> Self {
        let (announce, announced) = oneshot::channel();
        let (stop, stopped) = watch::channel(false);
        let announce = move |addresses| {
            if announce.send(addresses).is_err() {
                tracing::debug!("the sidecar is not wanted any more");
            }
        };
        let (source, announce) = (Source::Opened(Inherited::default()), Box::new(announce));
        let run = Run { source, read, ends: Ends::WhenTold, stop: stopped, announce };
        let thread = thread::spawn(move || server::run(&config, run));
        Self { announced, stop, thread }
    }

    /// Where it is, once it accepts; nothing if it ended instead.
    pub(super) async fn ready(&mut self) -> Option<Addresses> {
        (&mut self.announced).await.ok()
    }

    /// Drains it; a signal from here on ends the drain. Why it ended by itself, if it did.
    pub(super) async fn end(self) -> Result<(), Failure> {
        self.stop.send_replace(true);
        // Not on this thread: connections to it from here have to see that they are closed.
        match spawn_blocking(|| self.thread.join()).await {
            Ok(Ok(result)) => result.map_err(Failure::from),
            Ok(Err(_)) | Err(_) => Err(Failure::Running("the sidecar panicked".to_owned())),
        }
    }
}
