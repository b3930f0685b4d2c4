//! Sends inputs to the sidecar, a few requests at a time, and asks again where there is no time for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{HeaderMap, Method};
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

use super::super::items::items;
use super::super::{Failure, complain, warn};
use super::inputs::{Batch, Found, Place};
use crate::key::Digest;
use crate::serve::warm::{Asked, Patience};
use crate::throttle::Throttle;
use crate::upstream::{Call, Priority, Ticket, Upstream};

/// Requests that are under way at once.
const AT_ONCE: usize = 4;

/// How long one may wait for its turn.
const TURN: Duration = Duration::from_mins(5);

/// Sends inputs.
pub(super) struct Sender {
    sidecar: Arc<Upstream>,
    path: String,
    headers: HeaderMap,
    members: String,
    /// The variable to advise where a request without a key is refused.
    missing_key: Option<String>,
    hits: AtomicU64,
    embedded: AtomicU64,
    failed: AtomicU64,
    /// The warning about refusals that are waited for.
    waits: std::sync::Mutex<Throttle>,
}

/// What came of the inputs.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) hits: u64,
    pub(super) embedded: u64,
    pub(super) failed: u64,
}

impl Sender {
    pub(super) fn new(
        sidecar: Arc<Upstream>,
        path: String,
        (headers, members): (HeaderMap, String),
    ) -> Self {
        let (hits, embedded, failed, waits) = Default::default();
        Self { sidecar, path, headers, members, missing_key: None, hits, embedded, failed, waits }
    }

    pub(super) fn with_missing_key(self, missing_key: Option<String>) -> Self {
        Self { missing_key, ..self }
    }

    /// Sends everything. An error says why nothing more will come.
    pub(super) async fn send(self, found: mpsc::Receiver<Found>) -> Result<Sent, Failure> {
        let found = Mutex::new(found);
        try_join_all((0..AT_ONCE).map(|_| self.some(&found))).await?;
        let count = AtomicU64::into_inner;
        let (hits, embedded, failed) = (count(self.hits), count(self.embedded), count(self.failed));
        Ok(Sent { hits, embedded, failed })
    }

    async fn some(&self, found: &Mutex<mpsc::Receiver<Found>>) -> Result<(), Failure> {
        loop {
            let next = found.lock().await.recv().await;
            match next {
                None => return Ok(()),
                Some(Found::Batch(batch)) => self.all_of(batch).await?,
                Some(Found::Bad(place, why)) => self.leave_out(&place, why),
                Some(Found::Broken(why)) => return Err(Failure::Running(why)),
            }
        }
    }

    /// Sends a batch until each of its inputs was taken or refused.
    async fn all_of(&self, batch: Batch) -> Result<(), Failure> {
        let (mut left, mut patience) = (vec![batch], Patience::new(Instant::now()));
        while let Some(batch) = left.pop() {
            match self.ask(&batch).await {
                Asked::Came(hits, embedded) => {
                    self.hits.fetch_add(hits as u64, Ordering::Relaxed);
                    self.embedded.fetch_add(embedded as u64, Ordering::Relaxed);
                    patience.refill(Instant::now());
                }
                Asked::Later(said, why) => {
                    let Some(wait) = patience.wait(said, Instant::now()) else {
                        return Err(Failure::Running(why));
                    };
                    self.tell_wait(wait, &why);
                    sleep(wait).await;
                    left.push(batch);
                }
                Asked::Wrong(why) => match batch.halves() {
                    Some(halves) => left.extend(halves),
                    None => batch.places.iter().for_each(|place| self.leave_out(place, &why)),
                },
                Asked::Never(why) => return Err(self.refused(why)),
            }
        }
        Ok(())
    }

    async fn ask(&self, batch: &Batch) -> Asked {
        let call = Call {
            method: Method::POST,
            path_and_query: self.path.clone(),
            headers: self.headers.clone(),
            body: Bytes::from(batch.portion.body(&self.members)),
            cause: None,
        };
        let (line, priority) = (Digest::of(b"warm"), Priority::Interactive);
        let ticket = Ticket { line, priority, until: Instant::now().checked_add(TURN) };
        match self.sidecar.call_in_turn(&ticket, call).await {
            Ok(answer) if answer.status.is_success() => {
                let [hit, collapsed, miss] = items(&answer.headers).unwrap_or_default();
                Asked::Came(hit, collapsed + miss)
            }
            Ok(answer) => Asked::refused(&answer, self.sidecar.dialect),
            Err(error) => Asked::failed(&error),
        }
    }

    /// The failure of the whole command.
    fn refused(&self, mut why: String) -> Failure {
        if let Some(variable) = self.missing_key.as_ref().filter(|_| why.starts_with("401")) {
            let advice = format!("no key was sent; pass --key-env {variable}, or --header");
            why = format!("{why}: {advice}");
        }
        Failure::Running(why)
    }

    /// Says at the first refusal, and then at most once in a minute, what is waited for.
    fn tell_wait(&self, wait: Duration, why: &str) {
        if Throttle::shared(&self.waits).is_some() {
            warn(&format_args!(
                "refused, next try in {wait:.1?} (it gives up after 10 minutes without progress): {}",
                shortened(why)
            ));
        }
    }

    /// Says that an input was not taken.
    fn leave_out(&self, Place { file, line }: &Place, why: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let why = shortened(why);
        complain(&format_args!("{file}:{line}: {why}"));
    }
}

/// The beginning of a provider's words, in one line.
fn shortened(why: &str) -> String {
    why.chars().filter(|c| !c.is_control()).take(300).collect()
}

impl Batch {
    fn halves(&self) -> Option<[Self; 2]> {
        let [first, second] = self.portion.halves()?;
        let (before, after) = self.places.split_at_checked(first.count())?;
        let half = |portion, places: &[Place]| Self { portion, places: places.to_vec() };
        Some([half(first, before), half(second, after)])
    }
}
