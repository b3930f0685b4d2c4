//! The provider behind the wire: is there room for a call, what befalls it, how long does it take.
//!
//! Knows neither HTTP nor a provider's shapes, so every dialect's calls go through here.

use std::future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::time;

use super::bill::Bill;
use super::change::Change;
use super::faults::{Chance, Fate, Faults};
use super::invoice::Invoice;
use super::pace::{Level, Pace};
use super::prompt_cache::PromptCache;
use super::settings::Settings;
use super::stats::Stats;

/// The least that a caller is told to wait when there are too many at once.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct Provider {
    stats: Stats,
    prompts: PromptCache,
    invoice: Invoice,
    compresses: bool,
    dimensions: usize,
    seed: u64,
    faults: RwLock<Arc<Faults>>,
    started: Instant,
    pace: Pace,
    calls: AtomicU64,
    replies: AtomicU64,
}

/// Why a call gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// Too many calls per minute; this long until the next may come.
    TooMany(Duration),
    /// Too many calls at once; try again after this.
    TooManyAtOnce(Duration),
    /// An error on the provider's side.
    Failure,
    /// The connection is to be closed.
    Cut,
}

impl Provider {
    /// A provider that has not been called.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            stats: Stats::default(),
            prompts: PromptCache::default(),
            invoice: Invoice::default(),
            compresses: settings.compress,
            dimensions: settings.dimensions,
            seed: settings.seed,
            faults: RwLock::new(Arc::new(settings.faults)),
            started: Instant::now(),
            pace: Pace::default(),
            calls: AtomicU64::new(0),
            // Not from 0, which mixing leaves as it is.
            replies: AtomicU64::new(1),
        }
    }

    /// Lets a call in, if there is room.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Call, Denial> {
        let faults = self.faults();
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if !self.stats.enter(faults.max_concurrent) {
            return Err(Denial::TooManyAtOnce(faults.latency.max(MIN_WAIT)));
        }
        // From here the seat gives the place back, whatever happens.
        let seat = Seat(Arc::clone(self));
        if faults.rpm > 0 {
            self.pace.take(faults.rpm, self.started.elapsed()).map_err(Denial::TooMany)?;
        }
        Ok(Call { faults, chance: Chance { seed: self.seed, call }, seat })
    }

    /// What was counted.
    pub(super) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The prompts that were billed.
    pub(super) fn prompts(&self) -> &PromptCache {
        &self.prompts
    }

    /// The invoice.
    pub(super) fn invoice(&self) -> &Invoice {
        &self.invoice
    }

    /// Whether responses are compressed for clients that accept it.
    pub(super) fn compresses(&self) -> bool {
        self.compresses
    }

    /// Charges for a call.
    pub(super) fn bill(&self, model: &str, bill: &Bill) {
        self.stats.charge(bill.tokens());
        self.invoice.add(model, bill);
    }

    /// Length of a vector when the call does not say.
    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The faults as they are now.
    pub(super) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the faults from now on, and says how they are then.
    pub(super) fn change(&self, change: &Change) -> Result<Arc<Faults>, String> {
        let mut faults = self.faults.write().unwrap_or_else(PoisonError::into_inner);
        *faults = Arc::new(change.apply(&faults)?);
        Ok(Arc::clone(&faults))
    }

    /// Starts over: nothing counted, and the random faults from their beginning.
    pub(super) fn reset(&self) {
        self.calls.store(0, Ordering::Relaxed);
        self.stats.reset();
        self.invoice.reset();
    }

    /// A number that no other reply of this provider has.
    pub(super) fn next_reply(&self) -> u64 {
        self.replies.fetch_add(1, Ordering::Relaxed)
    }

    /// The calls allowed per minute and what is left of them; nothing where there is no limit.
    pub(super) fn level(&self) -> Option<Level> {
        let rpm = self.faults().rpm;
        (rpm > 0).then(|| self.pace.level(rpm, self.started.elapsed()))
    }
}

/// A call that was let in.
#[derive(Debug)]
pub(super) struct Call {
    faults: Arc<Faults>,
    chance: Chance,
    seat: Seat,
}

impl Call {
    /// The faults that this call is under; a change does not touch a call under way.
    pub(super) fn faults(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// Returns if the call is to be answered; does not return at all if it is to hang.
    pub(super) async fn survive(&self, model: &str) -> Result<(), Denial> {
        match self.faults.fate(self.chance) {
            Fate::Answer => Ok(()),
            Fate::Cut => Err(Denial::Cut),
            Fate::Silence => future::pending().await,
            Fate::Failure => {
                self.work(model, 0).await;
                Err(Denial::Failure)
            }
        }
    }

    /// Takes the time of a call with so many inputs.
    pub(super) async fn work(&self, model: &str, items: usize) {
        pause(self.faults.delay(model, items, self.chance)).await;
    }

    /// The seat, for a reply that goes on after the call.
    pub(super) fn into_seat(self) -> Seat {
        self.seat
    }
}

/// Waits; a zero wait does not even yield.
pub(super) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        time::sleep(duration).await;
    }
}

/// A place among the calls in flight, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat(Arc<Provider>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.stats.leave();
    }
}
