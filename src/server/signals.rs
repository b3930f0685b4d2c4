//! The end: which signal asks for it, and how long what is in flight may take.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;

use super::reload::Live;

/// What ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// A signal, or the caller.
    AtSignal,
    /// The caller alone: until then signals are its own affair.
    WhenTold,
}

/// Waits for the end, and for what is in flight when it comes.
pub(super) struct Signals {
    pub(super) ends: Ends,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) draining: Arc<watch::Sender<bool>>,
    pub(super) tasks: TaskTracker,
    pub(super) live: Arc<Live>,
    pub(super) drain: Duration,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        if self.ends == Ends::WhenTold {
            self.told().await;
        }
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut quit), Ok(hangup)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::quit()),
            signal(SignalKind::hangup()),
        ) else {
            tracing::error!("no signal can be received; stopping rather than running unstoppable");
            return ShutdownSignal::FastShutdown;
        };
        tokio::select! {
            _ = quit.recv() => return ShutdownSignal::GracefulUpgrade,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = self.told() => {}
            () = self.reload_at(hangup) => {}
        }
        self.drain(&mut terminate, &mut interrupt).await;
        ShutdownSignal::FastShutdown
    }
}

impl Signals {
    /// Returns when the caller has said that it is over.
    async fn told(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left who could say so.
            pending::<()>().await;
        }
    }

    /// Reloads at each signal.
    async fn reload_at(&self, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            let live = Arc::clone(&self.live);
            // What is wrong with it is in the log.
            drop(spawn_blocking(move || live.reload()).await);
        }
        pending::<()>().await;
    }

    async fn drain(&self, terminate: &mut Signal, interrupt: &mut Signal) {
        tracing::info!("draining");
        self.draining.send_replace(true);
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => tracing::info!("drained"),
            () = tokio::time::sleep(self.drain) => {
                tracing::warn!(left = self.tasks.len(), "the drain's time is over");
            }
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
