//! Lanes: the requests that may travel in one call wait here for it, no longer than they must.
//!
//! A lane has a driver while somebody waits in it. The driver sends what there is at once; while that
//! call is under way it lets arrivals collect for the gap, or until a call is full, and leaves when
//! nobody came. So a lone request never waits, and a burst becomes few calls.
//!
//! Those who were answered together tend to come back together, so a lane remembers for a moment how
//! many they are: the next call waits for them rather than leave with the first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::original::Submission;
use super::plan::{self, ClosedBy, Size};
use super::trial::Trial;
use crate::key::{Digest, KeyHasher};

/// How long those who were answered together are waited for, at the most.
const RETURN: Duration = Duration::from_millis(5);

/// The requests of every lane.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<Digest, Lane, KeyHasher>,
    /// Lanes that nobody drove when their last call came back, and until when they are remembered.
    resting: VecDeque<(Instant, Digest)>,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<(Submission, Size)>,
    size: Size,
    is_driven: bool,
    /// Calls under way, and the inputs in them.
    calls: usize,
    inputs: usize,
    /// How many will wait once those are back who were answered together, and until when they are expected.
    back: usize,
    until: Option<Instant>,
    told: Arc<Notify>,
}

/// Whether a lane has a driver already.
#[derive(Debug)]
pub(super) enum Joined {
    /// It has.
    Running,
    /// It has none: whoever joined must drive it, and is told here of everybody who comes after.
    Opened(Arc<Notify>),
}

/// What leaves a lane as one call.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) submissions: Vec<Submission>,
    pub(super) closed: ClosedBy,
    /// Its being under way, where it is a lane's.
    pub(super) under_way: Option<UnderWay>,
    /// The merged call that failed before, where each of its requests is sent alone.
    pub(super) trial: Option<Arc<Trial>>,
}

/// A call of a lane while it is under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    lanes: Arc<Lanes>,
    id: Digest,
    inputs: usize,
    requests: usize,
}

impl Batch {
    /// A call that is not a lane's.
    pub(super) fn apart(submissions: Vec<Submission>, closed: ClosedBy) -> Self {
        Self { submissions, closed, under_way: None, trial: None }
    }
}

impl Lanes {
    /// Puts a request into its lane.
    pub(super) fn join(&self, submission: Submission) -> Joined {
        let id = submission.original.lane;
        let size = size_of(&submission);
        let mut state = self.lock();
        state.forget(Instant::now());
        let lane = state.lanes.entry(id).or_default();
        lane.size = lane.size.plus(size);
        submission.original.upstream.metrics.queued_inputs.add(as_gauge(size.inputs));
        lane.waiting.push_back((submission, size));
        if std::mem::replace(&mut lane.is_driven, true) {
            lane.told.notify_one();
            return Joined::Running;
        }
        Joined::Opened(Arc::clone(&lane.told))
    }

    /// Lets the driver of a lane go that nobody waits in; whether it may.
    pub(super) fn end_if_empty(&self, id: &Digest) -> bool {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(id) else { return true };
        let empty = lane.waiting.is_empty();
        if empty {
            lane.is_driven = false;
            state.rest(*id);
        }
        empty
    }

    /// Whether nobody waits in a lane.
    pub(super) fn is_empty(&self, id: &Digest) -> bool {
        self.lock().lanes.get(id).is_none_or(|lane| lane.waiting.is_empty())
    }

    /// Whether there is nothing more to collect for.
    pub(super) fn is_enough(&self, id: &Digest, limit: &Size) -> bool {
        self.lock().lanes.get(id).is_none_or(|lane| lane.is_enough(limit))
    }

    /// Until when the next call is to wait for those who are expected back, if it is.
    pub(super) fn expects(&self, id: &Digest, limit: &Size) -> Option<Instant> {
        let state = self.lock();
        let lane = state.lanes.get(id)?;
        lane.until.filter(|until| *until > Instant::now() && !lane.is_enough(limit))
    }

    /// What leaves now, without those that nobody waits for any more.
    pub(super) fn take(
        self: &Arc<Self>,
        id: &Digest,
        limit: &Size,
        after: ClosedBy,
    ) -> Option<Batch> {
        let mut state = self.lock();
        let lane = state.lanes.get_mut(id)?;
        let (count, closed) = plan::close(lane.waiting.iter().map(|(_, size)| *size), limit);
        let taken: Vec<_> = lane.waiting.drain(..count).collect();
        let inputs = taken.iter().map(|(_, size)| size.inputs).sum();
        (lane.back, lane.until) = (0, None);
        lane.calls += 1;
        lane.inputs += inputs;
        lane.measure();
        drop(state);
        let submissions = taken.into_iter().map(left).filter_map(Submission::without_unwanted);
        let submissions: Vec<_> = submissions.collect();
        let requests = submissions.len();
        let under_way = UnderWay { lanes: Arc::clone(self), id: *id, inputs, requests };
        // Who leaves with others has waited, for a turn or for them.
        let closed = closed.unwrap_or(if requests > 1 { ClosedBy::Linger } else { after });
        Some(Batch { submissions, closed, under_way: Some(under_way), trial: None })
    }

    /// How many inputs wait, and how many are under way.
    pub(super) fn inputs(&self, id: &Digest) -> usize {
        self.lock().lanes.get(id).map_or(0, |lane| lane.size.inputs + lane.inputs)
    }

    /// Gives back whoever must be told before a time that there was no turn.
    pub(super) fn expired(&self, id: &Digest, before: Instant) -> Vec<Submission> {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(id) else { return Vec::new() };
        let is_over = |submission: &Submission| {
            submission.original.ticket.until.is_some_and(|until| until <= before)
        };
        let waiting = std::mem::take(&mut lane.waiting).into_iter();
        let (over, rest): (Vec<_>, Vec<_>) =
            waiting.partition(|(submission, _)| is_over(submission));
        lane.waiting = rest.into();
        lane.measure();
        drop(state);
        over.into_iter().map(left).collect()
    }

    /// Lets the driver of a lane go, and gives back everybody who waits in it.
    pub(super) fn close(&self, id: &Digest) -> Vec<Submission> {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(id) else { return Vec::new() };
        let waiting = std::mem::take(&mut lane.waiting);
        lane.measure();
        lane.is_driven = false;
        state.rest(*id);
        drop(state);
        waiting.into_iter().map(left).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Remembers a lane that nothing happens in as long as somebody is expected back, or not at all.
    fn rest(&mut self, id: Digest) {
        let Some(lane) = self.lanes.get(&id).filter(|lane| lane.is_idle()) else { return };
        match lane.until {
            Some(until) => self.resting.push_back((until, id)),
            None => drop(self.lanes.remove(&id)),
        }
    }

    /// Forgets the lanes that nobody came back to. The times are in order, within [`RETURN`].
    fn forget(&mut self, now: Instant) {
        while let Some((_, id)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            let is_over =
                |lane: &Lane| lane.is_idle() && lane.until.is_none_or(|until| until <= now);
            if self.lanes.get(&id).is_some_and(is_over) {
                self.lanes.remove(&id);
            }
        }
    }
}

impl Lane {
    /// Whether there is nothing more to collect for: a call is full, or all are back.
    fn is_enough(&self, limit: &Size) -> bool {
        self.size.over(limit).is_some() || (self.back > 0 && self.waiting.len() >= self.back)
    }

    fn is_idle(&self) -> bool {
        !self.is_driven && self.calls == 0 && self.waiting.is_empty()
    }

    /// Adds up what waits, after some of it has left.
    fn measure(&mut self) {
        self.size = self.waiting.iter().fold(Size::default(), |sum, (_, size)| sum.plus(*size));
    }
}

impl Drop for UnderWay {
    /// The call is over: whoever it was for may be back soon. Who was alone is not waited for.
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.lanes.lock();
        let Some(lane) = state.lanes.get_mut(&self.id) else { return };
        lane.calls = lane.calls.saturating_sub(1);
        lane.inputs = lane.inputs.saturating_sub(self.inputs);
        if self.requests > 1 {
            let others = lane.until.filter(|until| *until > now).map_or(0, |_| lane.back);
            lane.back = others.max(lane.waiting.len()) + self.requests;
            lane.until = Some(now + RETURN);
        }
        state.rest(self.id);
    }
}

/// How much a request brings.
pub(super) fn size_of(submission: &Submission) -> Size {
    submission.seats.iter().fold(Size::default(), |sum, seat| sum.plus(Size::of(&seat.input)))
}

/// A request that waits no more.
fn left((submission, size): (Submission, Size)) -> Submission {
    submission.original.upstream.metrics.queued_inputs.sub(as_gauge(size.inputs));
    submission
}

fn as_gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
