//! Writes what clients were told. The first answer of a run replaces what an earlier run recorded for its
//! question; further ones that differ follow it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use xxhash_rust::xxh3::xxh3_64;

use super::Question;
use super::embedding::Embedding;
use super::exchange::{Exchange, Told};
use super::folder::{self, Folder};
use crate::key::{CacheKey, Digest};
use crate::vector::Vector;

/// How many questions, and how many inputs, one run records; and how many answers to one question.
const MOST: usize = 250_000;
const MOST_ANSWERS: u32 = 1_000;

/// What is recorded by this process.
#[derive(Debug)]
pub struct Recorder {
    folder: Folder,
    tasks: TaskTracker,
    answers: Mutex<HashMap<Digest, Answered>>,
    /// Each input with what its vector's bytes come to.
    inputs: Mutex<HashMap<CacheKey, u64>>,
    /// Whether it was said that something goes by.
    passing_told: AtomicBool,
    /// Whether it was said that nothing can be written.
    failure_told: AtomicBool,
}

/// What a question was answered so far.
#[derive(Debug, Clone, Copy)]
struct Answered {
    /// How many different answers in a row are recorded.
    number: u32,
    /// How often it was asked.
    times: u32,
    /// What the last answer comes to.
    last: u64,
}

impl Recorder {
    /// A recorder into a folder, which is made where it is not there.
    pub(super) fn start(folder: Folder, tasks: TaskTracker) -> io::Result<Arc<Self>> {
        folder.prepare()?;
        Ok(Arc::new(Self {
            folder,
            tasks,
            answers: Mutex::default(),
            inputs: Mutex::default(),
            passing_told: AtomicBool::new(false),
            failure_told: AtomicBool::new(false),
        }))
    }

    /// Records the answer to a question. The order of calls is the order of a replay.
    pub fn answer(self: &Arc<Self>, question: &Question, told: Told) {
        let Some(Answered { number, times, .. }) = self.count(question, &told) else { return };
        let (recorder, question) = (Arc::clone(self), question.clone());
        self.tasks.spawn_blocking(move || {
            let exchange = Exchange::of(&question, times, &told);
            let written = recorder.write(&question, number, &exchange);
            recorder.tell(written);
        });
    }

    /// Records the vectors of a request's inputs.
    pub fn vectors(self: &Arc<Self>, question: &Question, vectors: Vec<(CacheKey, Vector)>) {
        let new: Vec<_> =
            vectors.into_iter().filter(|(key, vector)| self.is_new(*key, vector)).collect();
        if new.is_empty() {
            return;
        }
        let (recorder, question) = (Arc::clone(self), question.clone());
        self.tasks.spawn_blocking(move || {
            for (key, vector) in new {
                let path = recorder.folder.input(&key);
                let same = folder::read(&path, Embedding::read).is_ok_and(|old| old.1 == vector);
                let text = || Embedding::of(&question, &vector).write();
                let written = if same { Ok(()) } else { folder::write(&path, &text()) };
                recorder.tell(written);
            }
        });
    }

    /// Says once that something went by that no recording has.
    pub fn went_by(&self, what: &str) {
        if !self.passing_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("not recorded: {what}; a replay answers it with not_recorded");
        }
    }

    /// Which answer it is; `None` if it is the last one again, or one too many.
    fn count(&self, question: &Question, told: &Told) -> Option<Answered> {
        let last = xxh3_64(&told.body) ^ u64::from(told.status.as_u16());
        let mut answers = lock(&self.answers);
        let is_full = answers.len() >= MOST;
        let answered = match answers.entry(question.digest) {
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(new) => Some(*new.insert(Answered { number: 1, times: 1, last })),
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.times = known.times.saturating_add(1);
                if known.last == last {
                    return None;
                }
                let fits = known.number < MOST_ANSWERS;
                if fits {
                    (known.number, known.last) = (known.number + 1, last);
                }
                fits.then_some(*known)
            }
        };
        drop(answers);
        if answered.is_none() {
            self.went_by("a response beyond the limits of a recording");
        }
        answered
    }

    fn is_new(&self, key: CacheKey, vector: &Vector) -> bool {
        let sum = xxh3_64(vector.bytes());
        let mut inputs = lock(&self.inputs);
        if inputs.len() >= MOST && !inputs.contains_key(&key) {
            drop(inputs);
            self.went_by("an input beyond the limits of a recording");
            return false;
        }
        inputs.insert(key, sum) != Some(sum)
    }

    fn write(&self, question: &Question, number: u32, exchange: &Exchange) -> io::Result<()> {
        let path = self.folder.answer(&question.digest, number);
        let old = folder::read(&path, Exchange::read);
        if !old.is_ok_and(|(old, _)| old.is_like(exchange)) {
            folder::write(&path, &exchange.write())?;
        }
        if number > 1 {
            return Ok(());
        }
        // What an earlier run was told after this; not what this one has been meanwhile, so nobody may
        // count on until that is done.
        let answers = lock(&self.answers);
        let so_far = answers.get(&question.digest).map_or(1, |answered| answered.number);
        let mut beyond = so_far + 1;
        while folder::remove(&self.folder.answer(&question.digest, beyond))? {
            beyond += 1;
        }
        drop(answers);
        Ok(())
    }

    /// Says once that nothing can be written.
    fn tell(&self, written: io::Result<()>) {
        if let Err(error) = written
            && !self.failure_told.swap(true, Ordering::Relaxed)
        {
            tracing::error!(%error, "cannot write a recording; more may be missing (logged once)");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
