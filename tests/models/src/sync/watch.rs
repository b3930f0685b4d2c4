//! `tokio::sync::watch` as far as flights use it, over shuttle's locks. Everything in it is under one
//! lock, the number of receivers too, so that the scheduler decides at each use.

use std::future::poll_fn;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};

use shuttle::sync::{Mutex, MutexGuard};

/// Two sides of one value.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State { value, closed: false, receivers: 1, wakers: Vec::new() };
    let shared = Arc::new(Mutex::new(state));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

#[derive(Debug)]
struct State<T> {
    value: T,
    closed: bool,
    receivers: usize,
    wakers: Vec<Waker>,
}

/// Who sets it. There is one; when it is gone the value stays as it is.
#[derive(Debug)]
pub struct Sender<T>(Arc<Mutex<State<T>>>);

/// Who waits for it.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Mutex<State<T>>>);

/// The value, which nobody sets meanwhile.
#[derive(Debug)]
pub struct Ref<'a, T>(MutexGuard<'a, State<T>>);

/// The sender is gone, and what is waited for did not come.
#[derive(Debug)]
pub struct Closed;

impl<T> Sender<T> {
    /// Sets the value and wakes all who wait; gives back the value before.
    pub fn send_replace(&self, value: T) -> T {
        self.change(|state| std::mem::replace(&mut state.value, value))
    }

    /// Changes the value, and wakes all who wait if it was changed.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        self.change(|state| modify(&mut state.value))
    }

    /// Waits until no receiver is left.
    pub async fn closed(&self) {
        poll_fn(|context| {
            let mut state = lock(&self.0);
            if state.receivers == 0 {
                return Poll::Ready(());
            }
            state.wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// One more who may wait.
    pub fn subscribe(&self) -> Receiver<T> {
        lock(&self.0).receivers += 1;
        Receiver(Arc::clone(&self.0))
    }

    /// How many may wait.
    pub fn receiver_count(&self) -> usize {
        lock(&self.0).receivers
    }

    fn change<U>(&self, change: impl FnOnce(&mut State<T>) -> U) -> U {
        let mut state = lock(&self.0);
        let result = change(&mut state);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.change(|state| state.closed = true);
    }
}

impl<T> Receiver<T> {
    /// Waits for a value that is right. The last one is looked at even if the sender is gone.
    pub async fn wait_for(&mut self, right: impl Fn(&T) -> bool) -> Result<Ref<'_, T>, Closed> {
        poll_fn(|context| {
            let mut state = lock(&self.0);
            if right(&state.value) {
                return Poll::Ready(Ok(()));
            }
            if state.closed {
                return Poll::Ready(Err(Closed));
            }
            if !state.wakers.iter().any(|known| known.will_wake(context.waker())) {
                state.wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await?;
        // A flight's value is set once.
        Ok(Ref(lock(&self.0)))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.receivers -= 1;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
