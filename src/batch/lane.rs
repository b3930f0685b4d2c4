//! Lanes: the requests that may travel in one call wait here for it, no longer than they must.
//!
//! A lane exists while it has a driver. The driver sends what there is at once; while that call is
//! under way it lets arrivals collect for the gap, or until a call is full, and leaves when nobody
//! came. So a lone request never waits, and a burst becomes few calls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::original::Submission;
use super::plan::{self, ClosedBy, Size};
use crate::key::Digest;

/// The waiting requests of every lane.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<Digest, Lane>>);

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<(Submission, Size)>,
    size: Size,
    full: Arc<Notify>,
}

/// Whether a lane has a driver already.
#[derive(Debug)]
pub(super) enum Joined {
    /// It has.
    Running,
    /// It has none: whoever joined must drive it, and is told here when it is full.
    Opened(Arc<Notify>),
}

/// What leaves a lane as one call.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) submissions: Vec<Submission>,
    pub(super) closed: ClosedBy,
}

impl Lanes {
    /// Puts a request into its lane.
    pub(super) fn join(&self, submission: Submission, limit: &Size) -> Joined {
        let id = submission.original.lane;
        let size = size_of(&submission);
        let mut lanes = self.lock();
        let opened = !lanes.contains_key(&id);
        let lane = lanes.entry(id).or_default();
        lane.size = lane.size.plus(size);
        submission.original.upstream.metrics.queued_inputs.add(as_gauge(size.inputs));
        lane.waiting.push_back((submission, size));
        if lane.size.over(limit).is_some() {
            lane.full.notify_one();
        }
        if opened { Joined::Opened(Arc::clone(&lane.full)) } else { Joined::Running }
    }

    /// Ends a lane that nobody waits in; whether it is ended.
    pub(super) fn end_if_empty(&self, id: &Digest) -> bool {
        let mut lanes = self.lock();
        let empty = lanes.get(id).is_none_or(|lane| lane.waiting.is_empty());
        if empty {
            lanes.remove(id);
        }
        empty
    }

    /// What leaves now, without those that nobody waits for any more.
    pub(super) fn take(&self, id: &Digest, limit: &Size, after: ClosedBy) -> Option<Batch> {
        let mut lanes = self.lock();
        let lane = lanes.get_mut(id)?;
        let (count, closed) = plan::close(lane.waiting.iter().map(|(_, size)| *size), limit);
        let taken: Vec<_> = lane.waiting.drain(..count).collect();
        lane.measure();
        if lane.size.over(limit).is_some() {
            lane.full.notify_one();
        }
        drop(lanes);
        let submissions = taken.into_iter().map(left).filter_map(Submission::without_unwanted);
        let submissions = submissions.collect();
        Some(Batch { submissions, closed: closed.unwrap_or(after) })
    }

    /// Gives back whoever must be told before a time that there was no turn.
    pub(super) fn expired(&self, id: &Digest, before: Instant) -> Vec<Submission> {
        let mut lanes = self.lock();
        let Some(lane) = lanes.get_mut(id) else { return Vec::new() };
        let is_over = |submission: &Submission| {
            submission.original.ticket.until.is_some_and(|until| until <= before)
        };
        let waiting = std::mem::take(&mut lane.waiting).into_iter();
        let (over, rest): (Vec<_>, Vec<_>) =
            waiting.partition(|(submission, _)| is_over(submission));
        lane.waiting = rest.into();
        lane.measure();
        drop(lanes);
        over.into_iter().map(left).collect()
    }

    /// Ends a lane and gives back everybody who waits in it.
    pub(super) fn close(&self, id: &Digest) -> Vec<Submission> {
        let lane = self.lock().remove(id).unwrap_or_default();
        lane.waiting.into_iter().map(left).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// Adds up what waits, after some of it has left.
    fn measure(&mut self) {
        self.size = self.waiting.iter().fold(Size::default(), |sum, (_, size)| sum.plus(*size));
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
