//! Flights: one computation for each key that is being asked for now, whoever asks.
//!
//! Asking for keys is claiming them: for each key the caller either leads (it must see to it that
//! the value comes) or follows (it waits for whoever leads). All keys of a request are claimed
//! at one moment, so that of two with the same keys one leads them all and the other follows it; and
//! what is claimed is submitted before anything is awaited, so two with the same keys in opposite order
//! cannot wait for each other.
//!
//! A lead that is dropped without landing gives its followers [`Abandoned`]; they claim again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use crate::key::{CacheKey, KeyHasher};
use crate::sync::{Mutex, MutexGuard};

type Slot<V> = watch::Sender<Option<V>>;
type Slots<V> = HashMap<CacheKey, Arc<Slot<V>>, KeyHasher>;

/// The keys that are being computed now.
pub struct Flights<V> {
    slots: Mutex<Slots<V>>,
}

/// What a caller got for one key.
#[derive(Debug)]
pub enum Claim<V> {
    /// The caller computes the value, and may wait for it like everybody else.
    Lead(Lead<V>, Follow<V>),
    /// Somebody computes it already.
    Follow(Follow<V>),
}

/// The leader left without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandoned;

impl<V> Flights<V> {
    /// No flights yet.
    pub fn new(hasher: &KeyHasher) -> Arc<Self> {
        Arc::new(Self { slots: Mutex::new(HashMap::with_hasher(hasher.clone())) })
    }

    /// Claims a key: the first to come leads, the others follow.
    pub fn claim(self: &Arc<Self>, key: CacheKey) -> Claim<V> {
        self.claim_in(&mut self.lock(), key)
    }

    /// Claims several keys at one moment; a claim for each, in their order.
    pub fn claim_all<I: IntoIterator<Item = CacheKey>>(self: &Arc<Self>, keys: I) -> Vec<Claim<V>> {
        let mut slots = self.lock();
        keys.into_iter().map(|key| self.claim_in(&mut slots, key)).collect()
    }

    fn claim_in(self: &Arc<Self>, slots: &mut Slots<V>, key: CacheKey) -> Claim<V> {
        if let Some(slot) = slots.get(&key) {
            return Claim::Follow(Follow(slot.subscribe()));
        }
        let (slot, follow) = watch::channel(None);
        let slot = Arc::new(slot);
        slots.insert(key, Arc::clone(&slot));
        Claim::Lead(Lead { key, slot, flights: Arc::clone(self) }, Follow(follow))
    }

    /// How many keys are in flight.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Poisoned, they are still a whole map: nothing in here panics between two changes of it.
    fn lock(&self) -> MutexGuard<'_, Slots<V>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> fmt::Debug for Flights<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

/// The duty to compute a key's value. Dropping it ends the flight without one.
pub struct Lead<V> {
    key: CacheKey,
    slot: Arc<Slot<V>>,
    flights: Arc<Flights<V>>,
}

impl<V> Lead<V> {
    /// Ends the flight: everybody who waits gets the value. Whoever comes from now on leads anew, so
    /// that nobody who has an answer can ask again and be given the same one.
    pub fn land(self, value: V) {
        self.depart();
        self.slot.send_replace(Some(value));
    }

    /// Lets nobody else follow. Where several flights end with one answer, all depart before the
    /// first lands, since its followers may ask for the others again at once.
    pub fn depart(&self) {
        self.depart_from(&mut self.flights.lock());
    }

    fn depart_from(&self, slots: &mut Slots<V>) {
        // Only the flight's own slot: once it has departed the key may be somebody else's.
        if slots.get(&self.key).is_some_and(|slot| Arc::ptr_eq(slot, &self.slot)) {
            slots.remove(&self.key);
        }
    }

    /// Whether somebody waits for it now.
    pub fn is_wanted(&self) -> bool {
        self.slot.receiver_count() > 0
    }

    /// Ends the flight if nobody waits for it any more; gives the lead back if somebody does.
    pub fn unless_unwanted(self) -> Option<Self> {
        // Under the lock, so that nobody can begin to follow between the count and the end.
        let mut slots = self.flights.lock();
        if self.slot.receiver_count() > 0 {
            drop(slots);
            return Some(self);
        }
        self.depart_from(&mut slots);
        drop(slots);
        None
    }
}

impl<V> Drop for Lead<V> {
    fn drop(&mut self) {
        self.depart();
    }
}

impl<V> fmt::Debug for Lead<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lead").field(&self.key).finish()
    }
}

/// A wait for a key's value.
#[derive(Debug)]
pub struct Follow<V>(watch::Receiver<Option<V>>);

impl<V: Clone> Follow<V> {
    /// Waits for the value; the leader may also leave without one.
    pub async fn landed(mut self) -> Result<V, Abandoned> {
        match self.0.wait_for(Option::is_some).await {
            Ok(value) => value.clone().ok_or(Abandoned),
            Err(_) => Err(Abandoned),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::key::{Digest, Place};
    use crate::request::Input;

    fn key(n: u64) -> CacheKey {
        CacheKey::of(&Digest::of(b"test"), &Input::Tokens(Cow::Owned(vec![n])), Place::Anywhere)
    }

    fn flights() -> Arc<Flights<u32>> {
        Flights::new(&KeyHasher::new(&[1; 32]))
    }

    fn lead(flights: &Arc<Flights<u32>>, n: u64) -> (Lead<u32>, Follow<u32>) {
        match flights.claim(key(n)) {
            Claim::Lead(lead, follow) => (lead, follow),
            Claim::Follow(_) => panic!("somebody leads already"),
        }
    }

    fn follow(flights: &Arc<Flights<u32>>, n: u64) -> Follow<u32> {
        match flights.claim(key(n)) {
            Claim::Lead(..) => panic!("nobody leads"),
            Claim::Follow(follow) => follow,
        }
    }

    #[tokio::test]
    async fn everybody_gets_what_the_leader_lands() {
        let flights = flights();
        let (lead, own) = lead(&flights, 1);
        let others = [follow(&flights, 1), follow(&flights, 1)];
        lead.land(7);
        assert_eq!(own.landed().await, Ok(7));
        for other in others {
            assert_eq!(other.landed().await, Ok(7));
        }
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn a_dropped_lead_frees_the_key_and_tells_its_followers() {
        let flights = flights();
        let (first, own) = lead(&flights, 1);
        drop(first);
        assert_eq!(own.landed().await, Err(Abandoned));
        let (second, own) = lead(&flights, 1);
        second.land(2);
        assert_eq!(own.landed().await, Ok(2));
    }

    #[tokio::test]
    async fn a_flight_outlives_the_request_that_began_it_while_somebody_waits() {
        let flights = flights();
        let (lead, own) = lead(&flights, 1);
        let other = follow(&flights, 1);
        drop(own);
        let lead = lead.unless_unwanted().expect("one still waits");
        lead.land(3);
        assert_eq!(other.landed().await, Ok(3));
    }

    #[test]
    fn a_flight_that_nobody_waits_for_ends() {
        let flights = flights();
        let (first, own) = lead(&flights, 1);
        drop(own);
        assert!(first.unless_unwanted().is_none());
        assert!(flights.is_empty());
        let (_second, _own) = lead(&flights, 1);
        assert_eq!(flights.len(), 1);
    }
}
