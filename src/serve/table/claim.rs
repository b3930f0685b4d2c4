//! Claims: what a request lacks it asks for itself, or waits for with whoever asks for it already.

use std::sync::Arc;
use std::time::Duration;

use super::super::Service;
use super::super::embed::{Found, Question};
use super::super::reply::Items;
use super::Table;
use crate::batch::Driver;
use crate::batch::original::{Arrival, Original, Outcome, Seat, Submission};
use crate::flight::{Claim, Follow};
use crate::key::CacheKey;

/// What a request has claimed.
pub(super) struct Claimed {
    /// What is waited for.
    pub(super) waits: Vec<(CacheKey, Follow<Outcome>)>,
    /// What brings it, where nobody else sees to that.
    pub(super) driver: Option<Driver>,
    /// How the inputs come.
    pub(super) items: Items,
    /// Where those stand that are asked for.
    pub(super) asked: Vec<usize>,
}

impl Table {
    /// All claims are taken, and all that is led is submitted, before anything is awaited.
    pub(super) fn claim(
        &self,
        service: &Arc<Service>,
        original: &Arc<Original>,
        question: &Question<'_>,
    ) -> Claimed {
        let (mut waits, mut asked) = (Vec::new(), Vec::new());
        let mut seats = Vec::new();
        let mut items = self.items;
        let missing: Vec<(usize, CacheKey)> = self.missing().collect();
        let open = self.found.iter().filter(|found| found.is_none()).count();
        items.collapsed += open - missing.len();
        let flights =
            missing.iter().map(|(_, key)| self.apart.map_or(*key, |caller| key.called(&caller)));
        let joining = self.joins.now(&original.upstream, &original.ticket.line);
        let claims = service.flights.claim_all(flights, Some(&joining));
        for ((position, key), claim) in missing.into_iter().zip(claims) {
            let (lead, follow) = match claim {
                Claim::Lead(lead, follow) => (Some(lead), follow),
                Claim::Follow(follow) => (None, follow),
            };
            waits.push((key, follow));
            let Some(lead) = lead else {
                items.collapsed += 1;
                continue;
            };
            // A flight may have landed between the look-up and the claim: its vector is in the
            // tier since before it landed, so one more look cannot miss it. Somebody else's call
            // brought it.
            if let Some(found) =
                service.tiers.memory.get(&key, &question.how.fresh).and_then(Found::in_memory)
                && service.fits(&found.vector, original)
            {
                items.collapsed += 1;
                let (vector, stored) = (found.vector, found.stored);
                let took = Duration::ZERO;
                let (said, call) = (None, None);
                lead.land_all(Outcome::Arrived(Arrival { vector, stored, said, took, call }));
                continue;
            }
            items.miss += 1;
            asked.push(position);
            if let Some(input) = question.request.inputs.get(position) {
                let input = input.clone().into_owned();
                seats.push(Seat { lead, key, input, position });
            }
        }
        let submission = (!seats.is_empty()).then(|| Submission::new(Arc::clone(original), seats));
        let driver = submission.and_then(|submission| service.batcher.submit(submission));
        Claimed { waits, driver, items, asked }
    }

    /// What is not there, each key once, where it stands first.
    fn missing(&self) -> impl Iterator<Item = (usize, CacheKey)> + '_ {
        let open = self.found.iter().enumerate().filter(|(_, found)| found.is_none());
        open.filter_map(|(position, _)| {
            let key = self.keys.get(position)?;
            (self.places.get(key)?.first() == Some(&position)).then_some((position, *key))
        })
    }
}
