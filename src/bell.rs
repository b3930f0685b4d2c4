//! What is polled rings a bell of its own, in place of its task.
//!
//! Two things follow. What rings while it is polled is polled again at once: hyper's connections do that for
//! each request with a body, and for each piece of one, and by way of the scheduler another thread would be
//! woken to look whether it should take the task over. And what has not rung since it was last polled is not
//! polled again, since nothing can have changed.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// How often something is polled in a row, before others have their turn.
const MOST: usize = 2;

const QUIET: u8 = 0;
const POLLED: u8 = 1;
const RUNG: u8 = 2;

/// The bell of one thing that is polled.
pub struct Bell {
    shared: Arc<Shared>,
    waker: Waker,
    /// The task that is woken, as [`Shared`] has it too, which is not looked at where it is still the same.
    task: Waker,
}

struct Shared {
    state: AtomicU8,
    task: Mutex<Waker>,
}

impl Bell {
    /// A bell that has rung, since nobody has looked yet.
    pub fn new() -> Self {
        let task = Waker::noop().clone();
        let shared = Shared { state: AtomicU8::new(RUNG), task: Mutex::new(task.clone()) };
        let shared = Arc::new(shared);
        Self { waker: Arc::clone(&shared).into(), shared, task }
    }

    /// Polls what has rung; and again, if it rings meanwhile. What is ready is taken to have rung, since there
    /// may be more.
    pub fn poll<T>(
        &mut self,
        context: &Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if !self.task.will_wake(context.waker()) {
            self.task.clone_from(context.waker());
            // Before the state is looked at: who rings after that finds it, and who rang before is seen.
            self.shared.task().clone_from(&self.task);
        }
        let state = &self.shared.state;
        for _ in 0..MOST {
            if !change(state, RUNG, POLLED) {
                return Poll::Pending;
            }
            let result = poll(&mut Context::from_waker(&self.waker));
            if result.is_ready() {
                state.swap(RUNG, Ordering::AcqRel);
                return result;
            }
            change(state, POLLED, QUIET);
        }
        if state.load(Ordering::Acquire) == RUNG {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

fn change(state: &AtomicU8, from: u8, to: u8) -> bool {
    state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(RUNG, Ordering::AcqRel) == QUIET {
            self.task().wake_by_ref();
        }
    }
}

impl Shared {
    fn task(&self) -> MutexGuard<'_, Waker> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("state", &self.shared.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Polls what rings so often while it is polled; how often it was polled, and its task woken.
    fn polled(rings: usize) -> (usize, usize) {
        let task = Arc::new(Task::default());
        let (waker, mut bell) = (Arc::clone(&task).into(), Bell::new());
        let mut polls = 0;
        let poll = |context: &mut Context<'_>| {
            polls += 1;
            if polls <= rings {
                context.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        };
        assert!(bell.poll(&Context::from_waker(&waker), poll).is_pending());
        (polls, task.0.load(Ordering::SeqCst))
    }

    #[test]
    fn what_rings_while_it_is_polled_is_polled_again_and_then_others_are() {
        assert_eq!(polled(0), (1, 0));
        assert_eq!(polled(1), (2, 0));
        assert_eq!(polled(2), (2, 1));
    }

    #[test]
    fn what_has_not_rung_is_not_polled_and_wakes_whoever_looked_last() {
        let (mut bell, kept) = (Bell::new(), Mutex::new(None));
        let polls = AtomicUsize::new(0);
        let poll = |context: &mut Context<'_>| {
            polls.fetch_add(1, Ordering::SeqCst);
            kept.lock().unwrap().get_or_insert_with(|| context.waker().clone());
            Poll::<()>::Pending
        };
        let tasks = [(); 2].map(|()| Arc::new(Task::default()));
        for round in 1..4 {
            for task in &tasks {
                assert!(
                    bell.poll(&Context::from_waker(&Arc::clone(task).into()), poll).is_pending()
                );
            }
            assert_eq!(polls.load(Ordering::SeqCst), round);
            let waker = kept.lock().unwrap().clone().unwrap();
            waker.wake_by_ref();
            waker.wake();
            assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::SeqCst)), [0, round]);
        }
    }

    #[test]
    fn what_is_ready_may_have_more() {
        let mut bell = Bell::new();
        for number in 0..3 {
            let ready = bell.poll(&Context::from_waker(Waker::noop()), |_| Poll::Ready(number));
            assert_eq!(ready, Poll::Ready(number));
        }
    }

    /// A thread and a task hand a number to and fro: if a ring is lost, both wait.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_ring_is_lost() {
        const ROUNDS: usize = 20_000;
        let (to, from) = mpsc::channel::<Waker>();
        let answered = Arc::new(AtomicUsize::new(0));
        let answers = Arc::clone(&answered);
        let ringing = thread::spawn(move || {
            for waker in from {
                answers.fetch_add(1, Ordering::SeqCst);
                waker.wake();
            }
        });
        let (mut bell, mut asked) = (Bell::new(), 0);
        let mut poll = |context: &mut Context<'_>| {
            while answered.load(Ordering::SeqCst) == asked && asked < ROUNDS {
                asked += 1;
                to.send(context.waker().clone()).unwrap();
            }
            let is_over = asked == ROUNDS && answered.load(Ordering::SeqCst) == asked;
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        };
        let all = poll_fn(|context| bell.poll(context, &mut poll));
        timeout(Duration::from_secs(20), all).await.expect("a ring was lost");
        drop(to);
        ringing.join().unwrap();
    }
}
