//! The short way for what is asked again.
//!
//! A client sends the same head over and over on its connection, with other bodies. A head is read by the
//! gate's own rules when it comes for the first time; while it is the same, byte for byte, a body whose
//! whole answer is remembered is answered from the bytes as they came. Every other request is hyper's, as
//! if nobody had looked: nothing is decided here that is not decided there.
//!
//! It takes a third of what a hit costs otherwise, since most of that is reading a head, and writing one,
//! in general. The refused alternative, a table of heads for all connections, would keep credentials for
//! longer than their clients are there.

mod familiar;
mod head;
mod written;

use std::fmt;
use std::sync::Arc;

use familiar::Familiar;
use head::{Repeated, Seen};
pub(super) use written::Written;

use super::{Current, Entrance};
use crate::ceiling::Room;

/// How large a request may be that is waited for. What is larger costs more for its size than for its head.
const LARGEST: usize = 64 << 10;

/// How many heads may be new in a row, until it is taken that they will all be.
const MOST_NEW: u8 = 8;

/// The short way of one connection.
pub struct Express {
    current: Arc<Current>,
    entrance: Entrance,
    known: Option<Known>,
    /// How many heads were new in a row.
    new: u8,
}

/// A head that came before, and what it says, if it is one that can be answered here.
struct Known {
    head: Repeated,
    familiar: Option<Familiar>,
}

/// What a request is.
pub(super) enum Request {
    /// Answered, if this is sent.
    Answered(Written),
    /// Not all here yet, and worth waiting for: with the room that all of it takes.
    Coming(Room),
    /// hyper's.
    Other,
}

impl Express {
    /// A short way to what the current proxy remembers.
    pub fn new(current: &Arc<Current>, entrance: Entrance) -> Box<Self> {
        Box::new(Self { current: Arc::clone(current), entrance, known: None, new: 0 })
    }

    /// Answers a request from its bytes, of which some may be missing, or those of another follow.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Request {
        let seen = self.known.as_ref().map_or(Seen::Other, |known| known.head.of(bytes));
        let (whole, size) = match seen {
            Seen::Whole(body) => (Some(body), bytes.len()),
            Seen::Part(size) => (None, size),
            Seen::Other => {
                self.meet(bytes);
                return Request::Other;
            }
        };
        self.new = 0;
        let proxy = self.current.get();
        let familiar = self.known.as_ref().and_then(|known| known.familiar.as_ref());
        let Some(familiar) = familiar else { return Request::Other };
        if !familiar.is_of(&proxy) {
            self.known = None;
            return Request::Other;
        }
        let Some(body) = whole else {
            let mut room = proxy.bodies.room();
            let fits = size <= LARGEST && room.hold(size).is_ok();
            return if fits { Request::Coming(room) } else { Request::Other };
        };
        match proxy.again(familiar, body) {
            Some(answer) => {
                tracing::trace!("served by the fast path");
                Request::Answered(answer)
            }
            None => Request::Other,
        }
    }

    /// Reads the head that bytes begin with, for the next one of its like.
    fn meet(&mut self, bytes: &[u8]) {
        if self.new == MOST_NEW {
            return;
        }
        self.new += 1;
        self.known = Repeated::read(bytes).map(|(head, parts)| {
            let familiar = parts.and_then(|parts| self.current.get().meet(parts, self.entrance));
            Known { head, familiar }
        });
    }
}

impl fmt::Debug for Express {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A head may hold a credential.
        f.debug_struct("Express").field("new", &self.new).finish_non_exhaustive()
    }
}
