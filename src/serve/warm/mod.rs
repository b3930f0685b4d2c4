//! Warming: what an application will ask for is asked for before it does, in the background and behind
//! everybody else. A job sends the requests that the application would send, so that what it brings is
//! found by them, and what is there already is not asked for.

mod asked;
mod job;
mod list;
mod patience;
mod portion;
mod progress;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

pub use asked::Asked;
pub use job::{Job, Work};
pub use list::List;
pub use patience::Patience;
pub use portion::Portion;
pub use progress::{Counts, State};

use crate::ceiling::{Ceiling, Room};
use crate::error::{Error, Kind};

/// Bytes of inputs that may be queued, those of all jobs together.
const QUEUED: usize = 64 << 20;

/// Jobs that may go on at once.
const OPEN: usize = 8;

/// Jobs that are remembered.
const KEPT: usize = 100;

/// The jobs of this process.
#[derive(Debug)]
pub struct Jobs {
    queued: Arc<Ceiling>,
    kept: Mutex<VecDeque<Arc<Job>>>,
    started: u64,
    count: AtomicU64,
}

impl Jobs {
    /// None yet.
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (started, count) = (since.as_secs(), AtomicU64::new(0));
        Self { queued: Ceiling::new(QUEUED), kept: Mutex::default(), started, count }
    }

    /// Room for inputs.
    pub fn room(&self) -> Room {
        self.queued.room()
    }

    /// Takes a job on; an error if there are too many.
    pub fn open(&self, total: usize) -> Result<Arc<Job>, Error> {
        let mut kept = self.lock();
        if kept.iter().filter(|job| job.is_open()).count() >= OPEN {
            let message = format!("{OPEN} jobs are running already; retry when one has ended");
            return Err(Error::new(Kind::Overloaded, message));
        }
        if kept.len() == KEPT
            && let Some(oldest) = kept.iter().position(|job| !job.is_open())
        {
            kept.remove(oldest);
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let job = Arc::new(Job::new(format!("{}-{number}", self.started), total));
        kept.push_back(Arc::clone(&job));
        Ok(job)
    }

    /// A job that is remembered.
    pub fn of(&self, id: &str) -> Option<Arc<Job>> {
        self.lock().iter().find(|job| job.id == id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Job>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self::new()
    }
}
