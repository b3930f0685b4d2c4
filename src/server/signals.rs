//! Signals: which of them ends a run, reloads it or hands it over, and how long requests in flight may take.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::Failure;
use super::accept::Accepting;
use super::handover;
use super::sidecar::Serving;
use crate::config::Server;

/// What ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// A signal, or the caller.
    AtSignal,
    /// The caller alone: until then signals are its own affair.
    WhenTold,
}

/// Waits for the end of a run, and then for the requests in flight.
pub(super) struct Signals {
    serving: Serving,
    stop: watch::Receiver<bool>,
    /// `None` until the caller ends the run, where signals are its own affair.
    received: Option<Receivers>,
    drain: Duration,
    upgrade_socket: String,
}

/// The signals that larder acts on. SIGTERM and SIGINT work at every moment.
struct Receivers {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
}

impl Receivers {
    fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl Signals {
    /// Signals act from here on, unless the caller keeps them for itself.
    pub(super) fn install(
        serving: Serving,
        server: &Server,
        (ends, stop): (Ends, watch::Receiver<bool>),
    ) -> Result<Self, Failure> {
        let received = (ends == Ends::AtSignal).then(Receivers::install).transpose();
        let received = received
            .map_err(|error| Failure::Start(format!("cannot listen for signals: {error}")))?;
        let (drain, upgrade_socket) = (server.drain, server.upgrade_socket.clone());
        Ok(Self { serving, stop, received, drain, upgrade_socket })
    }

    /// Returns once the run has ended and is drained.
    pub(super) async fn run(mut self) {
        let received = if let Some(received) = self.received.take() {
            Ok(received)
        } else {
            self.told().await;
            Receivers::install()
        };
        let mut received = match received {
            Ok(received) => received,
            Err(error) => {
                tracing::error!(%error, "cannot listen for signals; stopping at once");
                return;
            }
        };
        tokio::select! {
            _ = received.terminate.recv() => {}
            _ = received.interrupt.recv() => {}
            () = self.told() => {}
            () = self.reload_at(&mut received.hangup) => {}
            () = self.hand_over_at(&mut received.quit) => {
                tracing::info!("the new process has taken the listeners over");
            }
        }
        self.drain(&mut received.terminate, &mut received.interrupt).await;
    }

    /// Returns when the caller has said that it is over.
    async fn told(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            pending::<()>().await;
        }
    }

    /// Reloads at each signal.
    async fn reload_at(&self, hangup: &mut Signal) {
        while hangup.recv().await.is_some() {
            let live = Arc::clone(&self.serving.live);
            // The log has its errors.
            drop(spawn_blocking(move || live.reload()).await);
        }
        pending::<()>().await;
    }

    /// Offers the listeners at each signal. Returns once a successor has taken them.
    async fn hand_over_at(&self, quit: &mut Signal) {
        while quit.recv().await.is_some() {
            tracing::info!(upgrade_socket = self.upgrade_socket, "offering the listeners");
            let Serving { listeners, accepting, .. } = &self.serving;
            match handover::offer(&self.upgrade_socket, listeners, accepting).await {
                Ok(()) => return,
                Err(reason) => {
                    tracing::warn!(reason, "not handed over; this process goes on serving");
                }
            }
        }
        pending::<()>().await;
    }

    async fn drain(self, terminate: &mut Signal, interrupt: &mut Signal) {
        tracing::info!("draining");
        let Serving { accepting, draining, tasks, listeners, background, .. } = self.serving;
        accepting.send_replace(Accepting::Closed);
        drop((listeners, background));
        draining.send_replace(true);
        tasks.close();
        tokio::select! {
            () = tasks.wait() => tracing::info!("drained"),
            () = tokio::time::sleep(self.drain) => {
                tracing::warn!(
                    left = tasks.len(),
                    "server.drain is over; ending the connections that are left"
                );
            }
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
