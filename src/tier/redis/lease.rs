//! Leases: of the replicas that miss the same input at the same time, one asks the provider. Who has
//! a lease says every third of its time that it still asks, so that a lease does not outlive its
//! holder for longer than that time, and the others take over.

use std::fmt;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use super::background::Job;
use super::{Redis, Shared};
use crate::key::CacheKey;

/// The right to ask the provider for some keys. It is given back when it is dropped, after what was
/// queued before.
pub struct Lease {
    names: Vec<String>,
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

impl Redis {
    /// Takes the leases that nobody has, and says which; `None` if replicas are not to wait for each
    /// other, or cannot say that they do.
    pub async fn take(&self, keys: &[CacheKey]) -> Option<(Vec<bool>, Lease)> {
        let shared = &self.shared;
        if shared.settings.lease.is_zero() {
            return None;
        }
        let link = shared.link()?;
        let names: Vec<String> = keys.iter().map(|key| shared.names.lease(key)).collect();
        let taking = link.take(&names, &shared.token, shared.lease_milliseconds());
        let taken = shared.in_time(taking).await?;
        let granted = names.into_iter().zip(&taken).filter(|(_, taken)| **taken);
        let names: Vec<String> = granted.map(|(name, _)| name).collect();
        shared.held.lock().unwrap_or_else(PoisonError::into_inner).extend(names.iter().cloned());
        let [counter, ..] = &shared.leases;
        counter.inc_by(names.len() as u64);
        Some((taken, Lease { names, shared: Arc::clone(shared), jobs: self.jobs.clone() }))
    }

    /// Which of the keys somebody has a lease for; `None` if that cannot be said.
    pub async fn taken(&self, keys: &[CacheKey]) -> Option<Vec<bool>> {
        let link = self.shared.link()?;
        let names: Vec<String> = keys.iter().map(|key| self.shared.names.lease(key)).collect();
        let there = self.shared.in_time(link.get(&names)).await?;
        Some(there.iter().map(Option::is_some).collect())
    }

    /// Counts inputs that another replica brought, and such that it did not.
    pub fn waited(&self, brought: usize, lost: usize) {
        let [_, waited, without] = &self.shared.leases;
        waited.inc_by(brought as u64);
        without.inc_by(lost as u64);
    }
}

impl Shared {
    /// The names of the leases that this process has.
    pub(super) fn names_of_held(&self) -> Vec<String> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().cloned().collect()
    }

    pub(super) fn lease_milliseconds(&self) -> u64 {
        u64::try_from(self.settings.lease.as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let names = std::mem::take(&mut self.names);
        let mut held = self.shared.held.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &names {
            held.remove(name);
        }
        drop(held);
        // If there is no room to say so, it ends by itself.
        drop(self.jobs.try_send(Job::Release(names)));
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("names", &self.names.len()).finish_non_exhaustive()
    }
}
