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
use super::service_manager;
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
    is_service: bool,
    drain: Duration,
    upgrade_socket: String,
}

/// The signals that end a process: SIGTERM and SIGINT. They work at every moment.
pub(super) struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    pub(super) fn install() -> Result<Self, Failure> {
        Self::listen().map_err(|error| no_signals(&error))
    }

    fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of them. Nothing is lost if it is not awaited to the end.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The signals that larder acts on.
struct Receivers {
    end: EndSignals,
    quit: Signal,
    hangup: Signal,
}

impl Receivers {
    fn install(end: EndSignals) -> io::Result<Self> {
        let (quit, hangup) = (signal(SignalKind::quit())?, signal(SignalKind::hangup())?);
        Ok(Self { end, quit, hangup })
    }
}

fn no_signals(error: &io::Error) -> Failure {
    Failure::Start(format!("cannot listen for signals: {error}"))
}

/// The end of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing is in flight, or its time is over.
    InTime,
    /// A second signal ended it.
    AtOnce,
}

impl Signals {
    /// Signals act from here on, unless the caller keeps them for itself.
    pub(super) fn install(
        serving: Serving,
        server: &Server,
        (end, stop): (Option<EndSignals>, watch::Receiver<bool>),
    ) -> Result<Self, Failure> {
        let is_service = end.is_some();
        let received = end.map(Receivers::install).transpose();
        let received = received.map_err(|error| no_signals(&error))?;
        let (drain, upgrade_socket) = (server.drain, server.upgrade_socket.clone());
        Ok(Self { serving, stop, received, is_service, drain, upgrade_socket })
    }

    /// Returns once the run has ended and is drained.
    pub(super) async fn run(mut self) -> Drained {
        let received = if let Some(received) = self.received.take() {
            Ok(received)
        } else {
            self.told().await;
            EndSignals::listen().and_then(Receivers::install)
        };
        let mut received = match received {
            Ok(received) => received,
            Err(error) => {
                tracing::error!(%error, "cannot listen for signals; stopping at once");
                return Drained::AtOnce;
            }
        };
        let is_handed_over = tokio::select! {
            () = received.end.next() => false,
            () = self.told() => false,
            () = self.reload_at(&mut received.hangup) => false,
            () = self.hand_over_at(&mut received.quit) => true,
        };
        if is_handed_over {
            tracing::info!("the new process has taken the listeners over");
        } else if self.is_service {
            service_manager::stopping();
        }
        self.drain(&mut received.end).await
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

    async fn drain(self, end: &mut EndSignals) -> Drained {
        tracing::info!("draining; a second signal ends it at once");
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
            () = end.next() => {
                tracing::warn!(left = tasks.len(), "second signal: ending at once");
                return Drained::AtOnce;
            }
        }
        Drained::InTime
    }
}
