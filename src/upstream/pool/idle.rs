//! Open connections that nobody uses now.
//!
//! Nobody looks at one meanwhile. That the provider has closed it is seen when it is taken, and it is closed
//! when its time has passed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::config::Provider;

/// A connection that the next call may take.
pub(super) trait Reusable: Send + 'static {
    /// Whether it can carry a request now.
    fn is_free(&mut self) -> bool;
}

/// The connections that nobody uses now, the latest last.
pub(super) struct Idle<T> {
    waiting: Mutex<Waiting<T>>,
    most: usize,
    timeout: Duration,
}

struct Waiting<T> {
    connections: VecDeque<(Instant, Box<T>)>,
    is_watched: bool,
}

impl<T: Reusable> Idle<T> {
    /// As many as the settings say, for as long.
    pub(super) fn new(provider: &Provider) -> Arc<Self> {
        let (most, timeout) = (provider.idle_connections as usize, provider.idle_timeout);
        let waiting = Waiting { connections: VecDeque::new(), is_watched: false };
        Arc::new(Self { waiting: Mutex::new(waiting), most, timeout })
    }

    /// The one that was used last, since it is the least likely to be closed.
    pub(super) fn take(&self) -> Option<Box<T>> {
        loop {
            let (since, mut connection) = self.lock().connections.pop_back()?;
            if since.elapsed() < self.timeout && connection.is_free() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next call, if it can carry one.
    pub(super) fn put(self: &Arc<Self>, mut connection: Box<T>) {
        if self.most == 0 || !connection.is_free() {
            return;
        }
        let mut waiting = self.lock();
        let is_full = waiting.connections.len() >= self.most;
        let oldest = is_full.then(|| waiting.connections.pop_front());
        waiting.connections.push_back((Instant::now(), connection));
        if !waiting.is_watched
            && let Ok(runtime) = Handle::try_current()
        {
            waiting.is_watched = true;
            runtime.spawn(watch(Arc::downgrade(self), self.timeout));
        }
        drop(waiting);
        drop(oldest);
    }

    /// Looks at all of them now, and lets go of those that the provider has closed.
    pub(super) fn look_through(&self) {
        self.lock().connections.retain_mut(|(_, connection)| connection.is_free());
    }

    /// Closes those whose time has passed; when to look again, if there are others.
    fn close(&self) -> Option<Duration> {
        let mut waiting = self.lock();
        let is_old = |(since, _): &mut (Instant, Box<T>)| since.elapsed() >= self.timeout;
        let mut old = Vec::new();
        while let Some(connection) = waiting.connections.pop_front_if(is_old) {
            old.push(connection);
        }
        let first = waiting.connections.front();
        let next = first.map(|(since, _)| self.timeout.saturating_sub(since.elapsed()));
        waiting.is_watched = next.is_some();
        drop(waiting);
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds nothing, and ends by itself: nothing that a drain has to wait for.
async fn watch<T: Reusable>(idle: Weak<Idle<T>>, timeout: Duration) {
    let mut next = Some(timeout);
    while let Some(wait) = next {
        sleep(wait).await;
        next = idle.upgrade().and_then(|idle| idle.close());
    }
}
