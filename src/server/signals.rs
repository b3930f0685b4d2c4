//! The end: which signal asks for it, and how long what is in flight may take.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Waits for the end, and for what is in flight when it comes.
pub(super) struct Signals {
    pub(super) stop: watch::Receiver<bool>,
    pub(super) draining: Arc<watch::Sender<bool>>,
    pub(super) tasks: TaskTracker,
    pub(super) drain: Duration,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut quit)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::quit()),
        ) else {
            tracing::error!("no signal can be received; stopping rather than running unstoppable");
            return ShutdownSignal::FastShutdown;
        };
        let mut stop = self.stop.clone();
        let stopped = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                // Nobody is left who could say so.
                pending::<()>().await;
            }
        };
        tokio::select! {
            _ = quit.recv() => return ShutdownSignal::GracefulUpgrade,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stopped => {}
        }
        self.drain(&mut terminate, &mut interrupt).await;
        ShutdownSignal::FastShutdown
    }
}

impl Signals {
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
