//! The batcher: inputs that must be computed go out in as few calls as the provider takes, and
//! each comes back to whoever waits for it.
//!
//! Work in here outlives the requests that started it. What a call brings goes into the
//! tiers first, then to its flight, so that a key is always in one of the two.

mod call;
mod caps;
mod driver;
mod form;
mod lane;
mod lessons;
mod limits;
mod merging;
pub mod original;
mod pause;
mod plan;
mod refused;
mod seek;
mod settle;
mod share;
mod sizes;
mod trial;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::words::Oversize;
use crate::error::{Error, Kind};
use crate::key::Digest;
use crate::metrics::OperationMetrics;
use crate::request::{Encoding, Unity};
use crate::tier::Tiers;
use crate::upstream::{Permit, Ticket};
pub use driver::Driver;
use lane::{Batch, Joined, Lanes, size_of};
use lessons::Lessons;
use original::{Original, Outcome, Submission};
use plan::{ClosedBy, Size};

/// Bytes that an input takes besides its text: its place in the request, its key, its flight and its seat. Measured with
/// lists of 75,000 short inputs, which took 1,158 bytes each.
const PER_INPUT: usize = 1_200;

/// How often it is looked whether somebody in a lane has no more patience.
const LOOK: Duration = Duration::from_millis(50);

/// The way from inputs to vectors.
#[derive(Debug)]
pub struct Batcher {
    lanes: Arc<Lanes>,
    lessons: Lessons,
    tiers: Arc<Tiers>,
    clock: Clock,
    metrics: OperationMetrics,
    tasks: TaskTracker,
}

impl Batcher {
    /// A batcher that keeps what it gets, and whose calls a drain can wait for.
    pub fn new(
        tiers: Arc<Tiers>,
        clock: Clock,
        metrics: OperationMetrics,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        let (lanes, lessons) = (Arc::default(), Lessons::default());
        Arc::new(Self { lanes, lessons, tiers, clock, metrics, tasks })
    }

    /// Takes a request's inputs on. Returns at once; the flights tell what came of them. Whoever is the first in a
    /// lane may drive it meanwhile.
    pub fn submit(self: &Arc<Self>, mut submission: Submission) -> Option<Driver> {
        let upstream = Arc::clone(&submission.original.upstream);
        let own = submission.seats.len().saturating_mul(PER_INPUT);
        submission.room = upstream.room(size_of(&submission).bytes.saturating_add(own));
        if submission.room.is_none() {
            let message =
                format!("too many requests wait for {} (max_queued); retry later", upstream.name);
            fail(submission, &Error::new(Kind::Overloaded, message));
            return None;
        }
        match &self.tiers.shared {
            // What goes out as it came, whatever is in the cache, is nothing to wait for in part.
            Some(redis) if redis.is_well() && submission.original.unity == Unity::Free => {
                self.spawn(share::share(Arc::clone(self), Arc::clone(redis), submission));
                None
            }
            _ => self.dispatch(submission),
        }
    }

    /// Sends a request's inputs to the provider, with others' where that may be.
    fn dispatch(self: &Arc<Self>, submission: Submission) -> Option<Driver> {
        let upstream = &submission.original.upstream;
        let limit = self.call_limit(&submission.original);
        match (submission.original.unity, size_of(&submission).over(&limit)) {
            (Unity::Free, None) if self.stays_apart(&submission.original) => {
                let batch = Batch::apart(vec![submission], ClosedBy::Lone);
                self.spawn(call::in_turn(Arc::clone(self), batch));
            }
            (Unity::Free, None) => return self.join(submission),
            (Unity::Free, Some(_)) if upstream.settings.oversize == Oversize::Split => {
                self.send_cut(submission, &limit);
            }
            _ => {
                let batch = Batch::apart(vec![submission], ClosedBy::Lone);
                self.spawn(call::alone(Arc::clone(self), batch));
            }
        }
        None
    }

    /// Whether a request is not merged: merged calls fail, or the vectors of others are of another form.
    fn stays_apart(&self, original: &Original) -> bool {
        let form = self.lessons.of(&original.subject).form;
        (form.is_refuted() && original.encoding == Encoding::Base64) || self.goes_alone(original)
    }

    fn join(self: &Arc<Self>, submission: Submission) -> Option<Driver> {
        let original = Arc::clone(&submission.original);
        let Joined::Opened(told) = self.lanes.join(submission) else { return None };
        Some(Driver::new(Arc::clone(self).drive(original, told), &self.tasks))
    }

    /// Drives one lane until a gap brings nobody.
    async fn drive(self: Arc<Self>, original: Arc<Original>, told: Arc<Notify>) {
        let upstream = &original.upstream;
        let _driving = Driving { batcher: &self, lane: original.lane };
        let mut after = ClosedBy::Lone;
        while !self.lanes.end_if_empty(&original.lane) {
            let permit = match self.turn(&original).await {
                Ok(permit) => permit,
                Err(error) => {
                    let waiting = self.lanes.close(&original.lane);
                    return waiting.into_iter().for_each(|submission| fail(submission, &error));
                }
            };
            self.collect(&original, &told).await;
            let limit = self.share_limit(&original);
            let Some(batch) = self.lanes.take(&original.lane, &limit, after) else { return };
            if batch.submissions.is_empty() {
                continue;
            }
            let sent = Instant::now();
            let mut call = Box::pin(call::run(Arc::clone(&self), batch, permit));
            if !self.lanes.is_empty(&original.lane) {
                self.spawn(call);
                continue;
            }
            after = tokio::select! {
                // With nothing under way there is nothing to wait for.
                () = &mut call => {
                    after = ClosedBy::Lone;
                    continue;
                }
                () = self.gather(&original, &told, sent + upstream.settings.batch_gap) => ClosedBy::Linger,
            };
            self.spawn(call);
        }
    }

    /// Waits until somebody has come, and others could until the end of the gap. There is no timer while
    /// nobody has come, since setting one wakes the thread that waits for the provider.
    async fn gather(&self, original: &Original, told: &Notify, end: Instant) {
        while self.lanes.is_empty(&original.lane) {
            told.notified().await;
        }
        let limit = self.merge_limit(original);
        while !self.lanes.is_enough(&original.lane, &limit) {
            tokio::select! {
                () = told.notified() => {}
                () = sleep_until(end.into()) => return,
            }
        }
    }

    /// Waits for those who were answered together a moment ago.
    async fn collect(&self, original: &Original, told: &Notify) {
        let limit = self.merge_limit(original);
        while let Some(until) = self.lanes.expects(&original.lane, &limit) {
            tokio::select! {
                () = told.notified() => {}
                () = sleep_until(until.into()) => return,
            }
        }
    }

    /// A lane's turn. Whoever has no more patience is told so meanwhile.
    async fn turn(&self, original: &Original) -> Result<Permit, Error> {
        let upstream = &original.upstream;
        let ticket = Ticket { until: None, ..original.ticket };
        let mut turn = pin!(upstream.permit(&ticket));
        loop {
            tokio::select! {
                // In this order, since most have their turn at once and need no timer.
                biased;
                permit = turn.as_mut() => return permit,
                () = self.wait_a_little(original) => {}
            }
        }
    }

    /// Waits until it is to be looked again who in a lane has no more patience. Who would wait in vain is told at
    /// once.
    async fn wait_a_little(&self, original: &Original) {
        let (upstream, line) = (&original.upstream, &original.ticket.line);
        let now = Instant::now();
        let before = upstream.no_turn_before(line).map_or(now, |end| end.max(now));
        let expired = self.lanes.expired(&original.lane, before);
        if !expired.is_empty() {
            let error = upstream.busy(line);
            for submission in expired {
                fail(submission, &error);
            }
        }
        sleep(LOOK).await;
    }

    /// Sends the parts of a request that is larger than a call may be, side by side.
    fn send_cut(self: &Arc<Self>, mut submission: Submission, limit: &Size) {
        let seats = std::mem::take(&mut submission.seats);
        for seats in plan::cut(seats, |seat| Size::of(&seat.input), limit) {
            let part = submission.part(seats);
            let batch = Batch::apart(vec![part], ClosedBy::Inputs);
            self.spawn(call::in_turn(Arc::clone(self), batch));
        }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }
}

/// Closes a lane whose driver panics: whoever waits in it asks again, and nobody joins a lane that
/// nobody drives.
struct Driving<'a> {
    batcher: &'a Batcher,
    lane: Digest,
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.batcher.lanes.close(&self.lane));
        }
    }
}

/// Ends every flight of a request with an error of larder's own.
fn fail(submission: Submission, error: &Error) {
    submission.seats.iter().for_each(|seat| seat.lead.depart());
    for seat in submission.seats {
        seat.lead.land(Outcome::Failed(error.clone()));
    }
}
