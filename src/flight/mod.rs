//! Flights: one computation for each key that is being asked for now, whoever asks.
//!
//! Asking for keys is claiming them: for each key the caller either leads (it must see to it that
//! the value comes) or follows (it waits for whoever leads). All keys of a request are claimed
//! at one moment, so that of two with the same keys one leads them all and the other follows it; and
//! what is claimed is submitted before anything is awaited, so two with the same keys in opposite order
//! cannot wait for each other.
//!
//! A lead that is dropped without landing gives its followers [`Abandoned`]; they claim again.
//!
//! A flight is not joined when it is overdue, when the request that began it has left, or by a retry of a
//! request in it ([`Joining`]). Then a newcomer leads a second flight of the key; the first value that comes
//! serves both.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, Weak};

use tokio::sync::watch;

use crate::joining::{Joining, Terms};
use crate::key::{CacheKey, KeyHasher};
use crate::sync::{Mutex, MutexGuard};

type Slots<V> = HashMap<CacheKey, Arc<Slot<V>>, KeyHasher>;

/// One flight, shared by its lead and its followers.
struct Slot<V> {
    value: watch::Sender<Option<V>>,
    /// The rules by which others join; `None`: they always do.
    terms: Option<Terms>,
    /// Whether the request that began the flight has left it without a value.
    is_left: AtomicBool,
    /// Older flights of the same key, which newcomers no longer joined. They get the same value. Weak, so that
    /// one that has ended is not kept for as long as others race.
    older: Vec<Weak<Slot<V>>>,
}

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
        self.claim_in(&mut self.lock(), key, None)
    }

    /// Claims several keys at one moment; a claim for each, in their order. A flight that may not be joined is
    /// raced by a new one.
    pub fn claim_all<I: IntoIterator<Item = CacheKey>>(
        self: &Arc<Self>,
        keys: I,
        joining: Option<&Joining>,
    ) -> Vec<Claim<V>> {
        let mut slots = self.lock();
        keys.into_iter().map(|key| self.claim_in(&mut slots, key, joining)).collect()
    }

    fn claim_in(
        self: &Arc<Self>,
        slots: &mut Slots<V>,
        key: CacheKey,
        joining: Option<&Joining>,
    ) -> Claim<V> {
        let known = slots.get(&key);
        if let Some(slot) = known.filter(|slot| slot.may_be_joined(joining)) {
            return Claim::Follow(Follow { value: slot.value.subscribe(), first_of: None });
        }
        let (value, follow) = watch::channel(None);
        let older = known.map(Slot::still_wanted).unwrap_or_default();
        let terms = joining.map(Joining::terms);
        let slot = Arc::new(Slot { value, terms, is_left: AtomicBool::new(false), older });
        slots.insert(key, Arc::clone(&slot));
        let first_of = terms.is_some().then(|| Arc::clone(&slot));
        let lead = Lead { key, slot, flights: Arc::clone(self) };
        Claim::Lead(lead, Follow { value: follow, first_of })
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

impl<V> Slot<V> {
    fn may_be_joined(&self, joining: Option<&Joining>) -> bool {
        let (Some(joining), Some(terms)) = (joining, &self.terms) else { return true };
        let has_left = self.is_left.load(Ordering::Relaxed);
        !joining.is_given_up(terms, has_left) && !joining.may_retry(terms)
    }

    /// This flight and the older ones, as far as a request waits for them.
    fn still_wanted(self: &Arc<Self>) -> Vec<Weak<Self>> {
        let all = self.older.iter().filter_map(Weak::upgrade).chain([Arc::clone(self)]);
        let wanted = all.filter(|slot| slot.value.receiver_count() > 0);
        wanted.map(|slot| Arc::downgrade(&slot)).collect()
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
        self.slot.value.send_replace(Some(value));
    }

    /// Ends every flight of the key with a value, also those that this one races.
    pub fn land_all(self, value: V)
    where
        V: Clone,
    {
        // A flight that began later waits for the same value, and is over, too.
        let newest = self.flights.lock().remove(&self.key);
        let newest = newest.filter(|slot| !Arc::ptr_eq(slot, &self.slot));
        let older = newest.iter().chain([&self.slot]).flat_map(|slot| &slot.older);
        let raced = older.filter_map(Weak::upgrade).chain(newest.iter().cloned());
        for slot in raced {
            slot.value.send_if_modified(|known| {
                let is_missing = known.is_none();
                if is_missing {
                    *known = Some(value.clone());
                }
                is_missing
            });
        }
        self.slot.value.send_replace(Some(value));
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
        self.slot.value.receiver_count() > 0
    }

    /// Waits until no request waits for it.
    pub async fn deserted(&self) {
        self.slot.value.closed().await;
    }

    /// Ends the flight if nobody waits for it any more; gives the lead back if somebody does.
    pub fn unless_unwanted(self) -> Option<Self> {
        // Under the lock, so that nobody can begin to follow between the count and the end.
        let mut slots = self.flights.lock();
        if self.slot.value.receiver_count() > 0 {
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

/// A wait for a key's value. Dropped before the value came, it leaves the flight.
pub struct Follow<V> {
    value: watch::Receiver<Option<V>>,
    /// The flight, if this request began it and others may not join when it has left.
    first_of: Option<Arc<Slot<V>>>,
}

impl<V: Clone> Follow<V> {
    /// Waits for the value; the leader may also leave without one.
    pub async fn landed(mut self) -> Result<V, Abandoned> {
        let landed = match self.value.wait_for(Option::is_some).await {
            Ok(value) => value.clone().ok_or(Abandoned),
            Err(_) => Err(Abandoned),
        };
        self.first_of = None;
        landed
    }
}

impl<V> Drop for Follow<V> {
    fn drop(&mut self) {
        if let Some(slot) = &self.first_of {
            slot.is_left.store(true, Ordering::Relaxed);
        }
    }
}

impl<V> fmt::Debug for Follow<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").finish_non_exhaustive()
    }
}
