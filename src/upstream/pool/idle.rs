//! Idle connections to one provider, in pingora's pool.
//!
//! The pool holds them without watching them: a connection that the provider has closed is noticed when it is
//! taken, and one that has been idle for too long is closed by a sweep. The refused alternative is the pool's own
//! watcher, a task for each idle connection, which would be started and stopped with every call.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use pingora_pool::{ConnectionMeta, ConnectionPool};
use tokio::runtime::Handle;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::Provider;

/// The pool's group. A pool has the connections of one provider, all alike.
const GROUP: u64 = 0;

/// A connection that another call may take.
pub(super) trait Reusable: Send + 'static {
    /// Whether it can carry a request now.
    fn is_free(&mut self) -> bool;
}

/// The idle connections of one provider. Beyond `most` the oldest are closed.
pub(super) struct Idle<T> {
    pool: ConnectionPool<Parked<T>>,
    next_id: AtomicI32,
    most: usize,
    /// As many tokens as connections in the pool. Its own bound is not exact: it may evict a connection that
    /// another thread has not inserted yet, which then stays.
    parked: TaskTracker,
    /// Held while a connection is put in, so that two threads do not exceed the bound together.
    putting: Mutex<()>,
    timeout: Duration,
    is_swept: AtomicBool,
}

/// An idle connection, and the time from which it is.
struct Parked<T> {
    connection: Box<T>,
    since: Instant,
    _counted: TaskTrackerToken,
}

impl<T: Reusable> Idle<T> {
    /// At most `idle_connections`, each for `idle_timeout`.
    pub(super) fn new(provider: &Provider) -> Arc<Self> {
        let most = provider.idle_connections as usize;
        Arc::new(Self {
            pool: ConnectionPool::new(most),
            next_id: AtomicI32::new(0),
            most,
            parked: TaskTracker::new(),
            putting: Mutex::default(),
            timeout: provider.idle_timeout,
            is_swept: AtomicBool::new(false),
        })
    }

    /// A connection that is open and has not been idle for too long.
    pub(super) fn take(&self) -> Option<Box<T>> {
        loop {
            let mut parked = self.pool.get(&GROUP)?;
            if !self.is_expired(&parked) && parked.connection.is_free() {
                return Some(parked.connection);
            }
        }
    }

    /// Keeps a connection for another call, if it can carry one.
    pub(super) fn put(self: &Arc<Self>, mut connection: Box<T>) {
        if self.most == 0 || !connection.is_free() {
            return;
        }
        let putting = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        // The pool gives the one that is idle longest.
        while self.parked.len() >= self.most && self.pool.get(&GROUP).is_some() {}
        self.park(Parked { connection, since: Instant::now(), _counted: self.parked.token() });
        drop(putting);
        self.sweep_later();
    }

    /// Closes those that the provider has closed.
    pub(super) fn close_closed(&self) {
        self.retain(|parked| parked.connection.is_free());
    }

    /// Parks a connection under a number of its own; the pool needs one to find the oldest.
    fn park(&self, parked: Parked<T>) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        drop(self.pool.put(&ConnectionMeta::new(GROUP, id), parked));
    }

    /// Takes all out, and puts back those that are to stay. A call that comes meanwhile may open a connection.
    fn retain(&self, mut stays: impl FnMut(&mut Parked<T>) -> bool) {
        let mut all: Vec<Parked<T>> = std::iter::from_fn(|| self.pool.get(&GROUP)).collect();
        all.retain_mut(&mut stays);
        for parked in all {
            self.park(parked);
        }
    }

    fn is_expired(&self, parked: &Parked<T>) -> bool {
        parked.since.elapsed() >= self.timeout
    }

    fn sweep_later(self: &Arc<Self>) {
        // Read first: a call seldom finds it false, and need not write to a line that all cores share.
        if self.is_swept.load(Ordering::Relaxed) || self.is_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(sweep(Arc::downgrade(self), self.timeout))),
            Err(_) => self.is_swept.store(false, Ordering::Relaxed),
        }
    }

    /// Closes the expired ones. Returns the time until the next one expires, if there are others.
    fn close_expired(&self) -> Option<Duration> {
        self.is_swept.store(false, Ordering::Relaxed);
        let mut next: Option<Duration> = None;
        self.retain(|parked| {
            let left = self.timeout.saturating_sub(parked.since.elapsed());
            if !left.is_zero() {
                next = Some(next.map_or(left, |next| next.min(left)));
            }
            !left.is_zero()
        });
        // A call may have started another sweep meanwhile; one is enough.
        next.filter(|_| !self.is_swept.swap(true, Ordering::Relaxed))
    }
}

/// Sweeps until nothing is idle. Holds nothing, so that a drain need not wait for it.
async fn sweep<T: Reusable>(idle: Weak<Idle<T>>, timeout: Duration) {
    let mut next = Some(timeout);
    while let Some(wait) = next {
        sleep(wait).await;
        next = idle.upgrade().and_then(|idle| idle.close_expired());
    }
}
