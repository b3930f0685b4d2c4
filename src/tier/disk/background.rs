//! The disk tier's own thread: it waits for its turn to write to the directory, opens what is there,
//! writes what is queued, and notes the time and what was purged.

use std::io;
use std::mem::take;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use super::directory::{Guard, Lock};
use super::log::Log;
use super::{Shared, State, notes};
use crate::key::CacheKey;
use crate::tier::Stored;
use crate::tier::purge::Generations;

/// How often it looks around when there is nothing to do.
const TICK: Duration = Duration::from_millis(250);

/// How often the time is noted.
const NOTE_TIME: Duration = Duration::from_mins(1);

/// How long the disk is left in peace after it failed.
const PEACE: Duration = Duration::from_secs(5);

/// Something to do when it suits.
pub(super) enum Job {
    /// Writes an entry.
    Write(CacheKey, Stored),
    /// Notes what was purged, and says so.
    Purge(oneshot::Sender<()>),
    /// Removes entries, and says how many there were.
    Remove(Vec<[u8; 32]>, oneshot::Sender<io::Result<u64>>),
    /// Puts everything onto the disk and ends the thread, and says so.
    Close(oneshot::Sender<()>),
}

/// Starts the thread. It ends when it is told to, or when nobody is left to tell it anything.
pub(super) fn start(shared: Arc<Shared>, jobs: Receiver<Job>) -> io::Result<()> {
    let work = move || {
        let Some((log, guard)) = open(&shared, &jobs) else { return };
        let (log, evicted) = (Arc::new(log), 0);
        // In this order: whoever waited for the log is to find the breaker closed.
        shared.breaker.close();
        shared.state.send_replace(State::Open(Arc::clone(&log)));
        let noted = notes::purged(&shared.directory).unwrap_or_default();
        Keeper { shared, log, writes: guard.is_some(), noted, evicted }.keep(&jobs);
        drop(guard);
    };
    thread::Builder::new().name("larder disk".to_owned()).spawn(work).map(drop)
}

/// Opens the log when no other process writes to it, or for reading where nobody can; `None` if that
/// is not to be.
fn open(shared: &Shared, jobs: &Receiver<Job>) -> Option<(Log, Option<Guard>)> {
    let opened = wait_for_lock(shared, jobs).and_then(|lock| match lock {
        None => Ok(None),
        Some(Lock::Locked(guard)) => {
            notes::read(&shared.directory, &shared.ground, &shared.records.line)?;
            // A disk that is full may have room again, and what is on it can be read until then.
            let noted = notes::note_time(&shared.directory, &shared.ground, &shared.records.line);
            shared.count(noted);
            let log = Log::open(shared.directory.path(), shared.settings.size.0)?;
            Ok(Some((log, Some(guard))))
        }
        Some(Lock::Busy | Lock::ReadOnly) => {
            let directory = &shared.settings.dir;
            tracing::warn!(directory, "cache directory is read-only: no entries are written to it");
            notes::read(&shared.directory, &shared.ground, &shared.records.line)?;
            Ok(Some((Log::open_read_only(shared.directory.path())?, None)))
        }
    });
    let opened = opened.inspect_err(|error| {
        tracing::error!(%error, "disk tier disabled: cannot open the cache directory");
        shared.metrics.failed("io");
        shared.state.send_replace(State::Closed);
    });
    let (log, guard) = opened.ok()??;
    if log.dropped_files() > 0 {
        tracing::warn!(
            files = log.dropped_files(),
            "unreadable files in the cache directory ignored"
        );
        shared.metrics.failed("corrupt");
    }
    Some((log, guard))
}

/// The lock, once no other process has it; `None` if it is the end before that.
fn wait_for_lock(shared: &Shared, jobs: &Receiver<Job>) -> io::Result<Option<Lock>> {
    let mut told = false;
    loop {
        let lock = shared.directory.lock()?;
        if !matches!(lock, Lock::Busy) {
            return Ok(Some(lock));
        }
        if !told {
            tracing::warn!(
                directory = shared.settings.dir,
                "cache directory in use by another process: disk tier disabled until that one ends"
            );
            shared.state.send_replace(State::Closed);
            told = true;
        }
        match jobs.recv_timeout(TICK) {
            Ok(Job::Close(_)) | Err(RecvTimeoutError::Disconnected) => return Ok(None),
            // Nothing is queued while it is closed, and what was purged is noted when it opens.
            Ok(Job::Write(..) | Job::Purge(_) | Job::Remove(..))
            | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What the thread has to itself.
struct Keeper {
    shared: Arc<Shared>,
    log: Arc<Log>,
    writes: bool,
    /// What was purged, as far as the directory says.
    noted: Generations,
    evicted: u64,
}

impl Keeper {
    fn keep(mut self, jobs: &Receiver<Job>) {
        let mut failed = None;
        let (mut looked, mut timed) = (Instant::now(), Instant::now());
        loop {
            let closing = match jobs.recv_timeout(TICK) {
                Ok(Job::Write(key, stored)) => {
                    self.write(&key, &stored);
                    None
                }
                Ok(Job::Purge(done)) => {
                    self.note_purges();
                    drop(done);
                    None
                }
                Ok(Job::Remove(keys, done)) => {
                    // Whoever asked may have left.
                    drop(done.send(self.remove(&keys)));
                    None
                }
                Ok(Job::Close(done)) => Some(Some(done)),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(None),
            };
            if closing.is_some() || looked.elapsed() >= TICK {
                self.note_purges();
                self.observe();
                self.heal(&mut failed);
                looked = Instant::now();
            }
            if closing.is_some() || timed.elapsed() > NOTE_TIME {
                self.note_time();
                timed = Instant::now();
            }
            if closing.is_some() {
                self.shared.count(self.log.flush());
                return;
            }
        }
    }

    fn write(&self, key: &CacheKey, stored: &Stored) {
        let timer = self.shared.metrics.puts.start_timer();
        if self.writes && stored.mark.holds() {
            let record = self.shared.records.write(key, stored);
            let written = self.log.put(key.as_bytes(), &record);
            match &written {
                Ok(()) => self.shared.metrics.tier.insertions.inc(),
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    self.shared.metrics.rejected("too_large");
                }
                Err(_) => {
                    self.shared.metrics.rejected("failed");
                    self.shared.count(written);
                }
            }
        } else {
            self.shared.metrics.rejected("unavailable");
        }
        timer.observe_duration();
        self.shared.queue.give(stored);
    }

    fn remove(&self, keys: &[[u8; 32]]) -> io::Result<u64> {
        let removed = self.log.remove(keys);
        self.shared.metrics.tier.purged.inc_by(*removed.as_ref().unwrap_or(&0));
        removed
    }

    /// Deletes what was purged as a whole, and writes down what was purged: again and again, where the
    /// disk does not take it.
    fn note_purges(&mut self) {
        let purged = self.shared.ground.purges.generations();
        if !self.writes || purged == self.noted {
            return;
        }
        // Room first.
        if self.noted.get("") < purged.get("") {
            let cleared = self.log.clear();
            self.shared.metrics.tier.purged.inc_by(*cleared.as_ref().unwrap_or(&0));
            if let (Ok(_), Some(whole)) = (&cleared, purged.get("")) {
                self.noted.insert(String::new(), *whole);
            }
            self.shared.count(cleared.map(drop));
        }
        match notes::note_purged(&self.shared.directory, &purged) {
            Ok(()) => self.noted = purged,
            failed => self.shared.count(failed),
        }
    }

    fn note_time(&self) {
        if self.writes {
            let Shared { directory, records, ground, .. } = &*self.shared;
            self.shared.count(notes::note_time(directory, ground, &records.line));
        }
    }

    fn observe(&mut self) {
        let tier = &self.shared.metrics.tier;
        tier.entries.set(i64::try_from(self.log.entries()).unwrap_or(i64::MAX));
        tier.bytes.set(i64::try_from(self.log.bytes()).unwrap_or(i64::MAX));
        tier.average_age.set(self.log.average_age(SystemTime::now()).as_secs_f64());
        let evicted = self.log.evicted();
        tier.evicted.inc_by(evicted - std::mem::replace(&mut self.evicted, evicted));
    }

    /// Asks a disk again that failed, after it was left in peace.
    fn heal(&self, failed: &mut Option<Instant>) {
        if self.shared.breaker.is_closed() {
            *failed = None;
        } else if failed.get_or_insert_with(Instant::now).elapsed() > PEACE {
            take(failed);
            self.shared.breaker.close();
        }
    }
}

impl Shared {
    /// Counts what the disk did not do, and says so now and then.
    fn count(&self, done: io::Result<()>) {
        let Err(error) = done else { return };
        self.metrics.failed("io");
        if self.refusals.may(self.ground.clock.now()) {
            tracing::warn!(%error, "cannot write to the cache directory");
        }
    }
}
