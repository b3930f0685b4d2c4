//! What moves on a connection, and since when it does not.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use http::{StatusCode, Version};

/// How long a connection may keep larder waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For a head, from its first byte on.
    pub(super) head: Duration,
    /// Between an answer and the next head.
    pub(super) idle: Duration,
    /// For the client to take anything at all of what is written.
    pub(super) write: Duration,
}

/// What a connection is told from outside, from the least on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Order {
    /// Wait no longer for the rest of a request.
    GoOn = 1,
    /// End with the request that is under way.
    Finish = 2,
    /// End now.
    Leave = 3,
}

/// Since when a head has been coming in, as milliseconds after the connection's start; or that none
/// is expected.
pub(super) struct Pulse {
    start: Instant,
    state: AtomicU64,
    sending: Sending,
    /// How many heads hyper has had, where it has one at a time.
    heads: AtomicU32,
    /// How many answers are behind hyper, but for what it has still to write.
    ended: AtomicU32,
    /// Whether a part of a request is held back from hyper.
    waits: AtomicBool,
    /// What the connection is to do, if anything, and how it is told.
    order: AtomicU8,
    connection: AtomicWaker,
    draining: AtomicBool,
    switched: AtomicBool,
}

/// What each piece of an answer is told to, in one place.
#[repr(align(16))]
struct Sending {
    /// Since when the client takes nothing of what is written, in the same milliseconds, or [`IDLE`].
    stuck: AtomicU64,
    movements: AtomicU32,
    /// Whether hyper has something left to write.
    writes: AtomicBool,
}

/// What becomes of a connection after an answer.
#[derive(PartialEq, Eq)]
pub(super) enum Next {
    Keep,
    Close,
}

const IDLE: u64 = u64::MAX;
const ANSWERING: u64 = u64::MAX - 1;
/// HTTP/2 interleaves requests, and has bounds of its own.
const MULTIPLEXED: u64 = u64::MAX - 2;

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            state: AtomicU64::new(IDLE),
            sending: Sending {
                stuck: AtomicU64::new(IDLE),
                movements: AtomicU32::new(0),
                writes: AtomicBool::new(false),
            },
            heads: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            waits: AtomicBool::new(false),
            order: AtomicU8::new(0),
            connection: AtomicWaker::new(),
            draining: AtomicBool::new(false),
            switched: AtomicBool::new(false),
        }
    }

    /// What comes while an answer goes out belongs to its request, or waits for its end.
    pub(super) fn bytes_came(&self) {
        let is_between = self.heads.load(Ordering::Relaxed) == self.ended();
        if is_between && self.state.load(Ordering::Relaxed) == IDLE {
            self.state.store(self.milliseconds(), Ordering::Relaxed);
        }
    }

    pub(super) fn head_came(&self, version: Version) {
        let is_old = version < Version::HTTP_2;
        let state = if is_old { ANSWERING } else { MULTIPLEXED };
        self.heads.fetch_add(u32::from(is_old), Ordering::Relaxed);
        self.state.store(state, Ordering::Relaxed);
        self.moved();
    }

    /// An answer was given past hyper.
    pub(super) fn answered_again(&self) {
        self.state.store(IDLE, Ordering::Relaxed);
        self.moved();
    }

    /// hyper is done with an answer's body.
    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) -> u32 {
        self.ended.load(Ordering::Relaxed)
    }

    /// A part of a request is held back, or no longer.
    pub(super) fn waits(&self, waits: bool) {
        self.waits.store(waits, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on every answer is the last of its connection.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// hyper writes.
    pub(super) fn writes(&self) {
        self.sending.writes.store(true, Ordering::Relaxed);
        self.moved();
    }

    /// hyper has written all that it had.
    pub(super) fn flushed(&self) {
        self.sending.writes.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_flushed(&self) -> bool {
        !self.sending.writes.load(Ordering::Relaxed)
    }

    /// Something went in or out.
    pub(super) fn moved(&self) {
        self.sending.movements.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the client takes what is written.
    pub(super) fn flows(&self, flows: bool) {
        let is_stuck = self.sending.stuck.load(Ordering::Relaxed) != IDLE;
        if flows == is_stuck {
            let since = if flows { IDLE } else { self.milliseconds() };
            self.sending.stuck.store(since, Ordering::Relaxed);
        }
    }

    /// Whether the connection speaks another protocol by now.
    pub(super) fn is_switched(&self) -> bool {
        self.switched.load(Ordering::Relaxed)
    }

    /// Tells the connection to do something; of two orders the greater is heard.
    pub(super) fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.connection.wake();
    }

    /// What the connection is to do. In the place of a channel, since it is asked for at every step of the
    /// connection.
    pub(super) fn poll_order(&self, context: &Context<'_>) -> Poll<Order> {
        self.connection.register(context.waker());
        if self.order.load(Ordering::Acquire) == 0 {
            return Poll::Pending;
        }
        Poll::Ready(match self.order.swap(0, Ordering::AcqRel) {
            1 => Order::GoOn,
            2 => Order::Finish,
            _ => Order::Leave,
        })
    }

    pub(super) fn movements(&self) -> u32 {
        self.sending.movements.load(Ordering::Relaxed)
    }

    /// What is to become of the connection now; `last` is the last movement that was seen, and when.
    pub(super) fn order(&self, last: &mut (u32, Instant), patience: Patience) -> Option<Order> {
        if self.is_over(self.sending.stuck.load(Ordering::Relaxed), patience.write) {
            tracing::debug!(
                "connection closed: client stopped reading its response (server.write_timeout)"
            );
            return Some(Order::Leave);
        }
        if self.waits.load(Ordering::Relaxed) {
            return Some(Order::GoOn);
        }
        let (state, movements) = (self.state.load(Ordering::Relaxed), self.movements());
        if state == IDLE && movements == last.0 {
            let is_over = last.1.elapsed() >= patience.idle;
            return is_over.then_some(Order::Finish);
        }
        *last = (movements, Instant::now());
        if self.is_over(state, patience.head) {
            tracing::debug!("connection closed: request head incomplete (server.head_timeout)");
            return Some(Order::Leave);
        }
        None
    }

    pub(super) fn answered(&self, status: StatusCode) -> Next {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            self.switched.store(true, Ordering::Relaxed);
        }
        if self.state.load(Ordering::Relaxed) == ANSWERING {
            self.state.store(IDLE, Ordering::Relaxed);
        }
        let close = self.draining.load(Ordering::Relaxed) && !self.is_multiplexed();
        if close { Next::Close } else { Next::Keep }
    }

    pub(super) fn is_multiplexed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == MULTIPLEXED
    }

    /// Whether what has lasted since then has lasted too long.
    fn is_over(&self, since: u64, patience: Duration) -> bool {
        since < MULTIPLEXED
            && u128::from(self.milliseconds().saturating_sub(since)) > patience.as_millis()
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(0)
    }
}
