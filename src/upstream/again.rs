//! Calls that may be made again: when the provider has room for them, or beside one that is slow.

use std::pin::pin;
use std::time::Instant;

use http::Response;
use tokio::time::sleep;

use super::told::{Told, is_throttled};
use super::{Answer, Call, Coming, Patience, Permit, Ticket, Upstream};
use crate::dialect::Refusal;
use crate::error::Error;
use crate::metrics::Operation;

/// The head of a response with its body, and the permit of its call.
type Opened = (Response<Coming>, Permit);

/// The ticket of a second call for the first one's request, which does not wait.
fn beside(permit: &Permit) -> Ticket {
    let (line, priority) = (permit.turn.line(), permit.turn.priority());
    Ticket { line, priority, until: Some(Instant::now()) }
}

impl Upstream {
    /// Makes a whole call when its turn comes, for one who takes the future along when it leaves.
    pub async fn call_in_turn(&self, ticket: &Ticket, call: Call) -> Result<Answer, Error> {
        let permit = self.permit(ticket).await?;
        let patience = Patience { until: ticket.until, is_wanted: &|| true };
        self.call(permit, call, &patience).await.0
    }

    /// Makes a whole call and reads the whole answer. One that was one too many waits for another turn,
    /// as long as somebody waits for it. Dropping the future closes the connection. Gives the permit back,
    /// unless no other turn came.
    pub async fn call(
        &self,
        mut permit: Permit,
        call: Call,
        patience: &Patience<'_>,
    ) -> (Result<Answer, Error>, Option<Permit>) {
        loop {
            let result = if self.settings.hedge_after.is_zero() {
                self.call_once(&permit, &call).await
            } else {
                // Boxed, since it has room for two calls, and few want that.
                Box::pin(self.call_hedged(&permit, &call)).await
            };
            let is_one_too_many = |answer: &Answer| {
                is_throttled(answer.status)
                    && !Told::read(answer.status, &answer.headers).is_final
                    && !self.dialect.is_out_of_quota(&answer.body)
                    && self.dialect.classify(answer.status, &answer.body) == Refusal::Shared
            };
            if !result.as_ref().is_ok_and(is_one_too_many) || !permit.turn.is_of_many() {
                return (result, Some(permit));
            }
            permit = match self.permit_again(permit, patience.until).await {
                Ok(permit) if (patience.is_wanted)() => permit,
                _ => return (result, None),
            };
            self.metrics.throttled.inc();
        }
    }

    /// Makes a call, and where it is slow the same call beside it, for the answer that comes first.
    async fn call_hedged(&self, permit: &Permit, call: &Call) -> Result<Answer, Error> {
        self.hedges.earn();
        let mut first = pin!(self.call_once(permit, call));
        tokio::select! {
            result = &mut first => return result,
            () = sleep(self.settings.hedge_after) => {}
        }
        let ticket = beside(permit);
        let Some(beside) = self.permit_at_once(&ticket).await else { return first.await };
        self.metrics.hedged.inc();
        let mut second = pin!(self.call_once(&beside, call));
        let is_good = |result: &Result<Answer, Error>| {
            result.as_ref().is_ok_and(|answer| answer.status.is_success())
        };
        tokio::select! {
            result = &mut first => if is_good(&result) { result } else { second.await },
            result = &mut second => if is_good(&result) { result } else { first.await },
        }
    }

    /// A turn for one call more, if it is there at once and the budget allows it.
    async fn permit_at_once(&self, ticket: &Ticket) -> Option<Permit> {
        self.hedges.spend(0)?;
        self.permit(ticket).await.ok()
    }

    /// Makes a call under a permit and gives the head of its response. A chat call whose head is slow is made
    /// a second time, for the head that comes first.
    async fn open_hedged(
        &self,
        permit: Permit,
        call: &Call,
        operation: Operation,
    ) -> Result<Opened, Error> {
        if self.settings.hedge_after.is_zero() || operation != Operation::Chat {
            return self.open_under(permit, call, operation).await;
        }
        self.hedges.earn();
        let ticket = beside(&permit);
        // Boxed, since few settings hedge, and every call's state would have room for two.
        let mut first = Box::pin(self.open_under(permit, call, operation));
        tokio::select! {
            result = &mut first => return result,
            () = sleep(self.settings.hedge_after) => {}
        }
        let Some(second) = self.permit_at_once(&ticket).await else { return first.await };
        self.metrics.hedged.inc();
        let mut second = Box::pin(self.open_under(second, call, operation));
        let is_good = |result: &Result<Opened, Error>| {
            result.as_ref().is_ok_and(|(response, _)| response.status().is_success())
        };
        tokio::select! {
            result = &mut first => if is_good(&result) { result } else { second.await },
            result = &mut second => if is_good(&result) { result } else { first.await },
        }
    }

    async fn open_under(
        &self,
        permit: Permit,
        call: &Call,
        operation: Operation,
    ) -> Result<Opened, Error> {
        let request = (call.as_request(), &*call.path_and_query);
        let response = self.open(&permit, request, operation).await?;
        Ok((response, permit))
    }

    /// Makes a call in its turn and gives the answer's head; the body streams. A call that was one too
    /// many waits for another turn, where the provider says when.
    pub async fn open_in_turn(
        &self,
        ticket: &Ticket,
        call: &Call,
        operation: Operation,
    ) -> Result<Opened, Error> {
        let mut permit = self.permit(ticket).await?;
        loop {
            let (response, under) = self.open_hedged(permit, call, operation).await?;
            permit = under;
            if !is_throttled(response.status()) {
                return Ok((response, permit));
            }
            let told = Told::read(response.status(), response.headers());
            let too_long = ticket.until.is_some_and(|until| self.is_in_vain(&ticket.line, until));
            let is_final = told.is_final || told.wait.is_none() || too_long;
            if is_final || !permit.turn.is_of_many() {
                return Ok((response, permit));
            }
            permit = self.permit_again(permit, ticket.until).await?;
            self.metrics.throttled.inc();
        }
    }
}
