//! Who calls next: everybody who wants to call a provider waits here for a turn.
//!
//! Each credential has a line of its own, so that one that is paused, or has much to ask, does not
//! keep the others waiting: the lines take turns. In a line, who is asked by people goes before who
//! works in bulk, but not for ever; else it is first come, first served.

mod client_time;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use super::ticket::{Each, Priority, Ticket};
use super::told::Told;
use crate::key::Digest;
use crate::metrics::IntGauge;
pub use client_time::ClientTime;
use state::{HeldTurn, State};

/// The queue of one provider.
pub(super) struct Queue {
    most: u32,
    state: Mutex<State>,
    waiting: Each<IntGauge>,
}

/// The right to make a call now. Dropped, it makes room for the next.
pub(super) struct Turn {
    queue: Arc<Queue>,
    line: Digest,
    priority: Priority,
    number: u64,
    since: Instant,
    /// How many calls of the line were under way with this one.
    among: u32,
    /// The time that the call waits for its client, where that is measured.
    client: OnceLock<Arc<ClientTime>>,
}

/// A place in the queue.
struct Place {
    queue: Arc<Queue>,
    line: Digest,
    priority: Priority,
    number: u64,
    is_used: bool,
}

impl Queue {
    pub(super) fn new(most: u32, waiting: Each<IntGauge>) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default(), waiting })
    }

    /// Waits for a turn. Whoever had one already, and was sent back, goes before all who came later.
    pub(super) async fn turn(self: &Arc<Self>, ticket: &Ticket, number: Option<u64>) -> Turn {
        let (place, told) = self.enter(ticket, number);
        // The other end is held by the queue until it gives the turn.
        told.await.ok();
        place.take()
    }

    /// Until when a line is paused, if it is.
    pub(super) fn paused(&self, line: &Digest) -> Option<Instant> {
        self.lock().lines.get(line)?.pace.paused_at(Instant::now())
    }

    fn enter(
        self: &Arc<Self>,
        ticket: &Ticket,
        number: Option<u64>,
    ) -> (Place, oneshot::Receiver<()>) {
        let (tell, told) = oneshot::channel();
        let (line, priority) = (ticket.line, ticket.priority);
        let mut state = self.lock();
        state.next += 1;
        let number = number.unwrap_or(state.next);
        state.line(&line, self.most).waiting.of_mut(priority).insert(number, tell);
        if !state.order.contains(&line) {
            state.order.push_back(line);
        }
        self.waiting.of(priority).inc();
        self.serve(&mut state);
        drop(state);
        (Place { queue: Arc::clone(self), line, priority, number, is_used: false }, told)
    }

    /// Gives turns while there is room, and sees to it that it is looked again when time brings more.
    fn serve(self: &Arc<Self>, state: &mut State) {
        let now = Instant::now();
        self.give(state, now);
        if !state.order.is_empty() && state.take_back(now) {
            self.give(state, now);
        }
        let next = if state.under_way < self.most { state.next_time(now) } else { None };
        let next = next.into_iter().chain(state.next_to_take_back(now)).min();
        if let Some(next) = next
            && state.alarm.is_none_or(|alarm| next < alarm)
            && let Ok(runtime) = Handle::try_current()
        {
            state.alarm = Some(next);
            let queue = Arc::downgrade(self);
            // It holds nothing, and ends by itself: nothing that a drain has to wait for.
            runtime.spawn(async move {
                sleep_until(next.into()).await;
                let Some(queue) = queue.upgrade() else { return };
                let mut state = queue.lock();
                if state.alarm == Some(next) {
                    state.alarm = None;
                }
                queue.serve(&mut state);
            });
        }
    }

    /// Gives turns while there is room.
    fn give(&self, state: &mut State, now: Instant) {
        while state.under_way < self.most
            && let Some((line, priority)) = state.pick(now)
        {
            state.give(&line, priority, now);
            self.waiting.of(priority).dec();
        }
    }

    fn release(self: &Arc<Self>, line: &Digest) {
        let mut state = self.lock();
        state.end(line);
        self.serve(&mut state);
        state.forget(line, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn take(mut self) -> Turn {
        self.is_used = true;
        let state = self.queue.lock();
        let among = state.lines.get(&self.line).map_or(1, |line| line.under_way);
        drop(state);
        let (queue, line) = (Arc::clone(&self.queue), self.line);
        let (priority, number) = (self.priority, self.number);
        let (since, client) = (Instant::now(), OnceLock::new());
        Turn { queue, line, priority, number, since, among, client }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_used {
            return;
        }
        let mut state = self.queue.lock();
        let Some(line) = state.lines.get_mut(&self.line) else { return };
        let waited = line.waiting.of_mut(self.priority).remove(&self.number).is_some();
        let is_empty = !line.is_waited_in();
        if is_empty {
            state.order.retain(|other| *other != self.line);
        }
        if waited {
            self.queue.waiting.of(self.priority).dec();
            state.forget(&self.line, Instant::now());
            return;
        }
        // The turn came, and nobody was left to take it.
        drop(state);
        self.queue.release(&self.line);
    }
}

impl Turn {
    /// What the answer to the call tells. A refusal holds the line back where others are in it, who
    /// would be refused too; who asks alone says itself when it asks again.
    pub(super) fn answered(&self, told: &Told) {
        let mut state = self.queue.lock();
        if let Some(line) = state.lines.get_mut(&self.line) {
            let now = Instant::now();
            if line.is_of_many(now) || !told.throttled {
                line.pace.answered(told, (self.since, self.among), now);
            }
            if told.throttled && line.under_way == 1 {
                line.pace.refused_alone(self.since, now);
            }
        }
        self.queue.serve(&mut state);
    }

    /// Whether a refusal of this call may well be for the others of its line, so that it is for a turn
    /// to wait. Who asks alone is told, as it would be without larder, and so is everybody in a line
    /// that does not move.
    pub(super) fn is_of_many(&self) -> bool {
        let state = self.queue.lock();
        let (line, now) = (state.lines.get(&self.line), Instant::now());
        line.is_some_and(|line| !line.pace.is_stuck() && line.is_of_many(now))
    }

    /// The time that the call waits for its client. The turn is taken back from a call that waits for too long.
    pub(super) fn client_time(&self) -> Arc<ClientTime> {
        let time = self.client.get_or_init(|| {
            let time = Arc::new(ClientTime::new());
            let held = HeldTurn { line: self.line, client: Arc::clone(&time) };
            self.queue.lock().held.insert(self.number, held);
            time
        });
        Arc::clone(time)
    }

    /// The same for everybody with the same credential.
    pub(super) fn line(&self) -> Digest {
        self.line
    }

    /// Before whom the call went.
    pub(super) fn priority(&self) -> Priority {
        self.priority
    }

    /// Its place among all that ever came.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let is_measured = self.client.get().is_some();
        if is_measured && self.queue.lock().held.remove(&self.number).is_none() {
            // It was taken back.
            return;
        }
        self.queue.release(&self.line);
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("number", &self.number).finish_non_exhaustive()
    }
}
