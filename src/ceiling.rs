//! How many bytes may be held at once of what others send, whoever they are. Who wants more is told so
//! at once: what cannot be held is not worth the wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::error::{Error, Kind};

/// The bytes that may be held.
#[derive(Debug)]
pub struct Ceiling {
    limit: usize,
    left: AtomicUsize,
}

/// What one holder has of them, until this is dropped.
#[derive(Debug)]
pub struct Room {
    ceiling: Arc<Ceiling>,
    held: usize,
}

impl Ceiling {
    /// So many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { limit: bytes, left: AtomicUsize::new(bytes) })
    }

    /// How many may be held.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many are held now.
    pub fn held(&self) -> usize {
        self.limit.saturating_sub(self.left.load(Ordering::Relaxed))
    }

    /// Nothing yet.
    pub fn room(self: &Arc<Self>) -> Room {
        Room { ceiling: Arc::clone(self), held: 0 }
    }
}

impl Room {
    /// Takes so much in all, or nothing more than it has.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        let more = bytes.saturating_sub(self.held);
        if more == 0 {
            return Ok(());
        }
        let take = |left: usize| left.checked_sub(more);
        let taken = self.ceiling.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map_err(|_| {
            let message = "memory budget for bodies exhausted (see larder_held_bytes); retry later";
            Error::new(Kind::Overloaded, message)
        })?;
        self.held += more;
        Ok(())
    }

    /// Gives back all but so much.
    pub fn keep(&mut self, bytes: usize) {
        let less = self.held.saturating_sub(bytes);
        self.ceiling.left.fetch_add(less, Ordering::Relaxed);
        self.held -= less;
    }

    /// The bytes, with this room for as long as anybody has any of them.
    pub fn around(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Roomed { bytes, _room: self })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.keep(0);
    }
}

struct Roomed {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Roomed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_holds_another_cannot() {
        let ceiling = Ceiling::new(8_000);
        let (mut one, mut other) = (ceiling.room(), ceiling.room());
        one.hold(3_000).unwrap();
        one.hold(6_000).unwrap();
        other.hold(2_000).unwrap();
        assert_eq!(other.hold(2_001).unwrap_err().kind, Kind::Overloaded);
        one.keep(1_000);
        other.hold(7_000).unwrap();
        drop(other);
        one.hold(8_000).unwrap();
    }

    #[test]
    fn bytes_hold_their_room_until_the_last_of_them_goes() {
        let ceiling = Ceiling::new(10);
        let mut room = ceiling.room();
        room.hold(10).unwrap();
        let bytes = room.around(Bytes::from_static(b"0123456789"));
        let part = bytes.slice(3..4);
        drop(bytes);
        assert!(ceiling.room().hold(1).is_err());
        assert_eq!(part, "3");
        drop(part);
        ceiling.room().hold(10).unwrap();
    }
}
