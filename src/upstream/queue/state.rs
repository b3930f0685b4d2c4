//! Who waits in which line, and whose turn it is: pure but for the telling.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::super::pace::{Not, Pace};
use super::super::ticket::{Each, Priority};
use super::client_time::{ClientTime, PATIENCE};
use crate::key::{Digest, KeyHasher};

/// How many calls for people may be made in a row while bulk waits.
const IN_A_ROW: u32 = 7;

/// Credentials are the clients' to choose, so there must be a bound on how many are remembered.
const MOST_LINES: usize = 4_096;

/// How long a line is one of many after it was.
const OF_LATE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct State {
    pub(super) lines: HashMap<Digest, Line, KeyHasher>,
    /// The lines that somebody waits in, the next one first.
    pub(super) order: VecDeque<Digest>,
    pub(super) under_way: u32,
    /// The turns of calls that may wait for their clients, by number.
    pub(super) held: HashMap<u64, HeldTurn>,
    pub(super) next: u64,
    pub(super) in_a_row: u32,
    /// When it will be looked again.
    pub(super) alarm: Option<Instant>,
}

/// The turn of a call that may wait for its client.
pub(super) struct HeldTurn {
    pub(super) line: Digest,
    pub(super) client: Arc<ClientTime>,
}

pub(super) struct Line {
    pub(super) pace: Pace,
    pub(super) under_way: u32,
    /// When more than one was in it last.
    crowded: Option<Instant>,
    /// By their number.
    pub(super) waiting: Each<BTreeMap<u64, oneshot::Sender<()>>>,
}

impl State {
    pub(super) fn line(&mut self, line: &Digest, most: u32) -> &mut Line {
        if self.lines.len() >= MOST_LINES && !self.lines.contains_key(line) {
            // What they had learned is learned again.
            self.lines.retain(|_, line| !line.is_idle());
        }
        self.lines.entry(*line).or_insert_with(|| Line {
            pace: Pace::new(most),
            under_way: 0,
            crowded: None,
            waiting: Each::default(),
        })
    }

    /// Whose turn it is, if anybody's.
    pub(super) fn pick(&mut self, now: Instant) -> Option<(Digest, Priority)> {
        let people = self.first(Priority::Interactive, now);
        if people.is_some() && self.in_a_row < IN_A_ROW {
            return people.map(|line| (line, Priority::Interactive));
        }
        let bulk = self.first(Priority::Bulk, now).map(|line| (line, Priority::Bulk));
        bulk.or(people.map(|line| (line, Priority::Interactive)))
    }

    fn first(&self, priority: Priority, now: Instant) -> Option<Digest> {
        let may = |line: &&Digest| {
            let Some(line) = self.lines.get(*line) else { return false };
            !line.waiting.of(priority).is_empty() && line.pace.ready(line.under_way, now).is_ok()
        };
        self.order.iter().find(may).copied()
    }

    pub(super) fn give(&mut self, id: &Digest, priority: Priority, now: Instant) {
        self.in_a_row = match priority {
            Priority::Interactive => self.in_a_row.saturating_add(1),
            Priority::Bulk => 0,
        };
        self.order.retain(|other| other != id);
        let Some(line) = self.lines.get_mut(id) else { return };
        if let Some((_, tell)) = line.waiting.of_mut(priority).pop_first() {
            line.under_way += 1;
            line.pace.sent(now);
            if line.under_way > 1 || line.is_waited_in() {
                line.crowded = Some(now);
            }
            self.under_way += 1;
            // Whoever has left meanwhile gives the turn back when it is dropped.
            tell.send(()).ok();
        }
        if line.is_waited_in() {
            self.order.push_back(*id);
        }
    }

    /// When somebody who waits may be given a turn that nobody has to give back first.
    pub(super) fn next_time(&self, now: Instant) -> Option<Instant> {
        let lines = self.order.iter().filter_map(|line| self.lines.get(line));
        let times = lines.filter_map(|line| match line.pace.ready(line.under_way, now) {
            Err(Not::Before(when)) => Some(when),
            Ok(()) | Err(Not::WhileFull) => None,
        });
        times.min()
    }

    /// Ends a call of a line.
    pub(super) fn end(&mut self, line: &Digest) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(line) = self.lines.get_mut(line) {
            line.under_way = line.under_way.saturating_sub(1);
        }
    }

    /// Takes back the turns of calls whose clients keep them waiting for too long; whether there was one.
    pub(super) fn take_back(&mut self, now: Instant) -> bool {
        let is_over = |held: &HeldTurn| held.client.left(now) == Some(Duration::ZERO);
        let over = self.held.iter().filter(|(_, held)| is_over(held));
        let over: Vec<(u64, Digest)> = over.map(|(number, held)| (*number, held.line)).collect();
        for (number, line) in &over {
            self.held.remove(number);
            self.end(line);
        }
        !over.is_empty()
    }

    /// The time of the next look for a turn to take back, while calls wait for one.
    pub(super) fn next_to_take_back(&self, now: Instant) -> Option<Instant> {
        if self.order.is_empty() {
            return None;
        }
        // A wait that has not begun yet is noticed by then.
        let left = self.held.values().map(|held| held.client.left(now).unwrap_or(PATIENCE));
        Some(now + left.min()?)
    }

    /// Forgets a line that nothing was learned of.
    pub(super) fn forget(&mut self, id: &Digest, now: Instant) {
        if self.lines.get(id).is_some_and(|line| line.is_idle() && line.pace.is_blank(now)) {
            self.lines.remove(id);
        }
    }
}

impl Line {
    pub(super) fn is_waited_in(&self) -> bool {
        !self.waiting.interactive.is_empty() || !self.waiting.bulk.is_empty()
    }

    /// Whether a call of the line is not the only one that there is, or was of late: whoever is the last
    /// of many is refused for the others, too.
    pub(super) fn is_of_many(&self, now: Instant) -> bool {
        let is_late = |crowded: Instant| now.saturating_duration_since(crowded) < OF_LATE;
        self.under_way > 1 || self.is_waited_in() || self.crowded.is_some_and(is_late)
    }

    fn is_idle(&self) -> bool {
        self.under_way == 0 && !self.is_waited_in()
    }
}
