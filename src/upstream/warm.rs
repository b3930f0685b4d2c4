//! Connections that are there before a call: opened at the start, and again when they are gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Upstream;
use super::failure::innermost;

/// How often it is looked whether any are missing.
const LOOK: Duration = Duration::from_secs(2);

/// The longest pause before a provider is connected to again that is not there, or closes what is opened.
const PAUSE: Duration = Duration::from_mins(1);

/// How long connections last that are opened again without such a pause.
const LASTING: Duration = Duration::from_secs(10);

impl Upstream {
    /// Whether connections to it are to be there, called or not.
    pub fn is_kept_warm(&self) -> bool {
        self.settings.warm_connections > 0 && !self.sealed
    }

    /// Keeps as many connections open as the settings say, for ever. They are no calls, and need no permits.
    pub async fn keep_warm(self: Arc<Self>) {
        let making = Arc::clone(&self);
        // If it fails, so does what comes next, which says why.
        drop(spawn_blocking(move || making.pools.make()).await);
        let Ok(to) = self.uri("/") else { return };
        let wanted = self.settings.warm_connections as usize;
        let (mut pause, mut tried, mut is_told) = (LOOK, Instant::now(), false);
        loop {
            let missing = self.pools.warm(&to, wanted).await;
            if matches!(missing, Ok(0)) {
                if tried.elapsed() > LASTING {
                    pause = LOOK;
                }
                sleep(LOOK).await;
                continue;
            }
            let error = missing.err();
            if let Some(error) = error.as_deref().filter(|_| !is_told) {
                let reason = innermost(error);
                let upstream = self.name.as_str();
                tracing::warn!(upstream, reason, "cannot open a warm connection to the provider");
            }
            (is_told, tried) = (error.is_some(), Instant::now());
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE);
        }
    }
}
