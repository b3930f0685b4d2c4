//! A steady load, every answer held against the right one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Aside, Ask, Client, until};

/// A load that goes on until it is ended, or a request fails.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    work: Aside<()>,
}

impl Load {
    /// Of old and new questions.
    pub(crate) fn on(client: &Client, name: &'static str) -> Self {
        Self::of(client, move |number| {
            Ask::of([format!("{name} {number}"), format!("{name} {}", number / 3)])
        })
    }

    /// Of the questions with the numbers from 0 on.
    pub(crate) fn of(client: &Client, ask: impl Fn(u64) -> Ask + Send + 'static) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted, client) = (Arc::clone(&stop), Arc::clone(&answered), client.clone());
        let work = Aside::start(async move {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                client.right(&ask(number)).await;
                counted.fetch_add(1, Ordering::Relaxed);
                number += 1;
            }
        });
        Self { stop, answered, work }
    }

    /// Waits until so many more were answered.
    pub(crate) async fn goes_on(&self, more: u64) {
        let enough = self.answered.load(Ordering::Relaxed) + more;
        until("the load goes on", || async { self.answered.load(Ordering::Relaxed) >= enough })
            .await;
    }

    /// Ends it; how many were answered.
    pub(crate) async fn ends(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.work.done().await;
        self.answered.load(Ordering::Relaxed)
    }
}
