//! Whose turn it is: the order and the times of a block's requests.
//!
//! In a closed loop each connection asks again as soon as it is answered. In an open loop requests are due at
//! times of their own; a thread that does nothing else (`pace`) lets them go, since a runtime's timers are
//! good to a millisecond only, and a request that finds no free connection is late, not left out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::arrivals::Arrivals;

/// How long the pacing thread sleeps before it looks whether the run was ended.
const NAP: Duration = Duration::from_millis(50);

/// The turns of a block.
#[derive(Debug)]
pub(crate) struct Turns {
    start: OnceLock<Instant>,
    stopped: &'static AtomicBool,
    order: Order,
    /// Connections.
    askers: usize,
}

#[derive(Debug)]
enum Order {
    Closed { next: AtomicU64, most: u64, end: Duration },
    Open { due: Semaphore, arrivals: Mutex<Arrivals>, pace: Arrivals },
}

/// One request's turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) number: u64,
    /// When it was due, in an open loop.
    pub(crate) due: Option<Instant>,
}

impl Turns {
    /// Each asker as fast as it is answered, until so many requests or so much time.
    pub(crate) fn closed(
        (most, end): (u64, Duration),
        askers: usize,
        stopped: &'static AtomicBool,
    ) -> Self {
        let order = Order::Closed { next: AtomicU64::new(0), most, end };
        Self { start: OnceLock::new(), stopped, order, askers }
    }

    /// At times of their own.
    pub(crate) fn open(arrivals: Arrivals, askers: usize, stopped: &'static AtomicBool) -> Self {
        let order = Order::Open {
            due: Semaphore::new(0),
            pace: arrivals.clone(),
            arrivals: Mutex::new(arrivals),
        };
        Self { start: OnceLock::new(), stopped, order, askers }
    }

    /// Begins, and gives the time at which.
    pub(crate) fn start(&self) -> Instant {
        *self.start.get_or_init(Instant::now)
    }

    /// Lets requests go when they are due, until the last was; at once in a closed loop.
    pub(crate) fn pace(&self) {
        let Order::Open { due, pace, .. } = &self.order else { return };
        for (_, offset) in pace.clone() {
            let time = self.start() + offset;
            while let Some(left) = time.checked_duration_since(Instant::now()) {
                thread::sleep(left.min(NAP));
                if self.is_stopped() {
                    break;
                }
            }
            if self.is_stopped() {
                break;
            }
            due.add_permits(1);
        }
        // For each asker, to see that there is nothing more.
        due.add_permits(self.askers);
    }

    /// The next turn; waits until it is due. Nothing once it is over.
    pub(crate) async fn next(&self) -> Option<Turn> {
        let (start, stopped) = (self.start(), self.is_stopped());
        match &self.order {
            Order::Closed { next, most, end } => {
                if stopped || start.elapsed() >= *end {
                    return None;
                }
                let number = next.fetch_add(1, Ordering::Relaxed);
                (number < *most).then_some(Turn { number, due: None })
            }
            Order::Open { due, arrivals, .. } => {
                due.acquire().await.expect("it is never closed").forget();
                if self.is_stopped() {
                    return None;
                }
                let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                let (number, offset) = arrivals.next()?;
                Some(Turn { number, due: Some(start + offset) })
            }
        }
    }

    /// Whether the run was ended early.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::runtime::Builder;

    use super::*;

    static RUNNING: AtomicBool = AtomicBool::new(false);
    static STOPPED: AtomicBool = AtomicBool::new(true);

    fn drain(turns: &Arc<Turns>) -> Vec<Turn> {
        let runtime = Builder::new_current_thread().build().unwrap();
        let pacing = thread::spawn({
            let turns = Arc::clone(turns);
            move || turns.pace()
        });
        let mut all = Vec::new();
        while let Some(turn) = runtime.block_on(turns.next()) {
            all.push(turn);
        }
        pacing.join().unwrap();
        all
    }

    #[test]
    fn a_closed_loop_ends_by_number_or_by_time() {
        let minute = Duration::from_mins(1);
        let turns = Arc::new(Turns::closed((3, minute), 1, &RUNNING));
        assert!(drain(&turns).iter().map(|turn| turn.number).eq(0..3));
        let turns = Arc::new(Turns::closed((u64::MAX, Duration::ZERO), 1, &RUNNING));
        assert!(drain(&turns).is_empty());
        let turns = Arc::new(Turns::closed((3, minute), 1, &STOPPED));
        assert!(drain(&turns).is_empty());
    }

    #[test]
    fn an_open_loop_lets_nothing_go_before_its_time() {
        let arrivals = Arrivals::poisson(1_000.0, 1).until(50, Duration::MAX);
        let turns = Arc::new(Turns::open(arrivals, 1, &RUNNING));
        let all = drain(&turns);
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|turn| turn.due.unwrap() <= Instant::now()));
        let turns = Arc::new(Turns::open(Arrivals::poisson(1.0, 1), 1, &STOPPED));
        assert!(drain(&turns).is_empty());
    }
}
