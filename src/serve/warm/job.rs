//! One job: its requests, a few at a time, until each input was asked for or it gives up.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::sync::watch;
use tokio::time::sleep;

use super::super::ticket::{BULK, PRIORITY};
use super::super::{Ask, Service, Target};
use super::asked::Asked;
use super::progress::Progress;
use super::{Counts, List, Patience, Portion, State};
use crate::ceiling::Room;
use crate::credential;
use crate::dialect::Endpoint;
use crate::upstream::Upstream;

/// Requests that are under way at once.
const AT_ONCE: usize = 4;

/// A job, as it is remembered: without its inputs and its credential.
#[derive(Debug)]
pub struct Job {
    /// What it is called.
    pub id: String,
    /// How many inputs it has.
    pub total: usize,
    progress: Progress,
}

/// What a job does, which ends with it.
pub struct Work {
    /// Who answers its requests.
    pub service: Arc<Service>,
    /// Whom it asks.
    pub upstream: Arc<Upstream>,
    /// What is understood of the endpoint that it asks.
    pub endpoint: Endpoint,
    /// Where that is below the provider's base URL.
    pub path: String,
    /// What the application's requests carry, its credential among it.
    pub headers: HeaderMap,
    /// The inputs.
    pub list: List,
    /// Their place among the bytes that may be queued.
    pub room: Room,
}

impl Job {
    pub(super) fn new(id: String, total: usize) -> Self {
        Self { id, total, progress: Progress::default() }
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.counts().state.is_open()
    }

    /// What has come of it so far.
    pub fn counts(&self) -> Counts {
        self.progress.counts()
    }

    /// Does the work, until it is done or the server ends.
    pub async fn run(self: Arc<Self>, work: Work, mut draining: watch::Receiver<bool>) {
        // Whatever ends this early ends the job.
        let _ended = Ended(&self);
        tokio::select! {
            () = Run::new(&self.progress, work).finish() => {}
            _ = draining.wait_for(|draining| *draining) => {}
        }
    }
}

/// Says of a job that has not ended by itself that it was stopped.
struct Ended<'a>(&'a Job);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.progress.is(State::Stopped);
    }
}

/// A job that is being done.
struct Run<'a> {
    progress: &'a Progress,
    work: Work,
    left: Mutex<VecDeque<Portion>>,
    patience: Mutex<Patience>,
    group: Vec<HeaderValue>,
}

impl<'a> Run<'a> {
    fn new(progress: &'a Progress, mut work: Work) -> Self {
        let json = HeaderValue::from_static("application/json");
        work.headers.insert(header::CONTENT_TYPE, json);
        work.headers.insert(&PRIORITY, BULK);
        let group = work.service.group(&mut work.headers);
        let left = Mutex::new(std::mem::take(&mut work.list.portions));
        Self { progress, work, left, patience: Mutex::new(Patience::new(Instant::now())), group }
    }

    async fn finish(self) {
        let gave_up = join_all((0..AT_ONCE).map(|_| self.some())).await;
        self.progress.is(if gave_up.contains(&true) { State::Failed } else { State::Done });
    }

    /// Asks for one portion after the other, until none is left; whether it gave up.
    async fn some(&self) -> bool {
        let mut gave_up = false;
        while let Some(portion) = self.next() {
            match self.ask(&portion).await {
                Asked::Came(hits, embedded) => {
                    self.progress.came((hits, embedded));
                    self.patience().refill(Instant::now());
                }
                Asked::Later(said, why) => gave_up |= !self.wait(portion, (said, &why)).await,
                Asked::Wrong(why) => match portion.halves() {
                    Some(halves) => self.left().extend(halves),
                    None => self.progress.failed(1, &self.struck(&why)),
                },
                Asked::Never(why) => {
                    self.give_up(&portion, &why);
                    gave_up = true;
                }
            }
        }
        gave_up
    }

    async fn ask(&self, portion: &Portion) -> Asked {
        let Work { service, upstream, endpoint, path, headers, list, .. } = &self.work;
        let target = Target {
            upstream: Arc::clone(upstream),
            endpoint: *endpoint,
            method: Method::POST,
            path_and_query: path.clone(),
            received: Instant::now(),
            trace: None,
        };
        let body = Bytes::from(portion.body(&list.members));
        let headers = headers.clone();
        let group = self.group.clone();
        let ask = Ask { target, headers, group, body, rule: None, taping: None };
        Asked::of(Box::pin(service.answer(&ask)).await, upstream.dialect)
    }

    /// Waits, and puts the portion back; or gives up. Whether it waited.
    async fn wait(&self, portion: Portion, (said, why): (Option<Duration>, &str)) -> bool {
        let Some(time) = self.patience().wait(said, Instant::now()) else {
            self.give_up(&portion, why);
            return false;
        };
        self.progress.is(State::Waiting);
        sleep(time).await;
        self.left().push_front(portion);
        true
    }

    /// Nothing more comes of anything.
    fn give_up(&self, portion: &Portion, why: &str) {
        let others = std::mem::take(&mut *self.left());
        let inputs = portion.count() + others.iter().map(Portion::count).sum::<usize>();
        self.progress.failed(inputs, &self.struck(why));
    }

    /// A provider's words without the credential, which some say again.
    fn struck(&self, why: &str) -> String {
        let shown = credential::shown(&self.work.headers, &self.work.path);
        let shown = shown.filter_map(|key| std::str::from_utf8(key).ok());
        shown.filter(|key| !key.is_empty()).fold(why.to_owned(), |why, key| why.replace(key, "***"))
    }

    fn next(&self) -> Option<Portion> {
        self.left().pop_front()
    }

    fn left(&self) -> MutexGuard<'_, VecDeque<Portion>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
