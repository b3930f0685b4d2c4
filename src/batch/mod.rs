//! The batcher: inputs that must be computed go out in as few calls as the provider takes, and
//! each comes back to whoever waits for it.
//!
//! Work in here outlives the requests that started it. What a call brings goes into the
//! tiers first, then to its flight, so that a key is always in one of the two.

mod call;
mod driver;
mod lane;
mod lessons;
pub mod original;
mod plan;
mod refused;
mod settle;
mod share;

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
use crate::request::Unity;
use crate::tier::Tiers;
use crate::upstream::{Permit, Ticket};
use crate::vector::Numbers;
pub use driver::Driver;
use lane::{Batch, Joined, Lanes, size_of};
use lessons::Lessons;
use original::{Original, Outcome, Submission};
use plan::{ClosedBy, Size};

/// How often it is looked whether somebody in a lane has no more patience.
const LOOK: Duration = Duration::from_millis(50);

/// What waits in a lane goes out in so many calls side by side, at the most.
const SPREAD: u32 = 4;

/// Calls are not made smaller than so many inputs for the sake of others beside them.
const PART: usize = 16;

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
        submission.room = upstream.room(size_of(&submission).bytes);
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
            (Unity::Free, None) => return self.join(submission),
            (Unity::Free, Some(_)) if upstream.settings.oversize == Oversize::Split => {
                self.send_cut(submission, &limit);
            }
            _ => self.spawn(call::alone(Arc::clone(self), submission)),
        }
        None
    }

    /// How the provider prints the vectors of a subject, as far as has been seen.
    pub fn numbers(&self, subject: &Digest) -> Numbers {
        self.lessons.of(subject).numbers.unwrap_or(Numbers::Unseen)
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

    /// What one call may hold: what the provider takes, as configured, published or learned.
    fn call_limit(&self, original: &Original) -> Size {
        let known = original.shape.limits();
        let settings = &original.upstream.settings;
        let or = |setting: usize, known: usize| if setting == 0 { known } else { setting };
        let inputs = or(settings.max_inputs as usize, known.inputs);
        let learned = self.lessons.of(&original.ticket.line).max_inputs.unwrap_or(usize::MAX);
        Size {
            inputs: inputs.min(learned),
            tokens: or(settings.max_tokens as usize, known.tokens),
            bytes: or(settings.max_bytes.as_usize(), known.bytes),
        }
    }

    /// What a call of several requests may hold. Tokens are estimated, perhaps by half of what they
    /// are, and a limit that only the merging exceeded must not be exceeded.
    fn merge_limit(&self, original: &Original) -> Size {
        let limit = self.call_limit(original);
        Size {
            inputs: limit.inputs.min(original.upstream.settings.batch_inputs as usize),
            tokens: limit.tokens / 2,
            bytes: limit.bytes / 2,
        }
    }

    /// What the next call may hold, so that of much that waits all calls that may be made at a time have
    /// their part: providers take longer for more.
    fn share_limit(&self, original: &Original) -> Size {
        let limit = self.merge_limit(original);
        let calls = original.upstream.settings.max_connections.clamp(1, SPREAD) as usize;
        let share = self.lanes.inputs(&original.lane).div_ceil(calls).max(PART);
        Size { inputs: limit.inputs.min(share), ..limit }
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
