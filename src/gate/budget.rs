//! How many bytes of bodies are held at once, whoever sent them. Beyond that a request is told at once to
//! come back, before its body is read: what cannot be held is not worth the wait.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::Server;
use crate::error::{Error, Kind};

/// The bytes that bodies may take. Counted in KiB, since a semaphore counts to 2³².
#[derive(Debug)]
pub struct Budget(Semaphore);

/// What one request has of it, until this is dropped.
#[derive(Debug)]
pub(super) struct Room<'b> {
    budget: &'b Budget,
    permit: Option<SemaphorePermit<'b>>,
}

impl Budget {
    /// As the settings say, but room for one body of the largest size in any case, as it came and
    /// decoded.
    pub fn new(settings: &Server) -> Self {
        let least = settings.max_body.as_usize().saturating_mul(2);
        let bytes = settings.max_in_flight.as_usize().max(least);
        Self(Semaphore::new((bytes >> 10).min(Semaphore::MAX_PERMITS)))
    }

    /// Nothing yet.
    pub(super) fn room(&self) -> Room<'_> {
        Room { budget: self, permit: None }
    }
}

impl Room<'_> {
    /// Takes so much in all.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        let held = self.permit.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = bytes.div_ceil(1 << 10).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let full =
            |_| Error::new(Kind::Overloaded, "too many bytes of other requests are in flight");
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let permit = self.budget.0.try_acquire_many(more).map_err(full)?;
        match &mut self.permit {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }

    /// Gives back all but so much.
    pub(super) fn keep(&mut self, bytes: usize) {
        if let Some(held) = &mut self.permit {
            let rest = held.num_permits().saturating_sub(bytes.div_ceil(1 << 10));
            drop(held.split(rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_one_holds_another_cannot() {
        let file = "[server]\nmax_body = \"1KiB\"\nmax_in_flight = \"8KiB\"\n";
        let budget = Budget::new(&Config::read("test", file, &[]).unwrap().server);
        let (mut one, mut other) = (budget.room(), budget.room());
        one.hold(3_000).unwrap();
        one.hold(6_000).unwrap();
        other.hold(2_048).unwrap();
        assert_eq!(other.hold(2_049).unwrap_err().kind, Kind::Overloaded);
        one.keep(1_000);
        other.hold(7_000).unwrap();
        drop(other);
        one.hold(8_192).unwrap();
    }
}
