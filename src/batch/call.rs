//! One provider call for the inputs of one request or of several.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep;

use super::lane::Batch;
use super::original::{Original, Submission};
use super::plan::ClosedBy;
use super::{Batcher, fail, settle};
use crate::dialect::EmbedCall;
use crate::metrics::{Called, Operation};
use crate::request::{Encoding, Input};
use crate::trace::Cause;
use crate::upstream::{Call, Patience, Permit, Upstream};
use crate::vector::Numbers;

/// Whose bytes a call is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// The request's own, unchanged: its inputs are all of the call, by their positions.
    Own,
    /// Written for the seats, in their order.
    Built(Encoding),
}

/// Sends one request as it came, when its turn comes.
pub(super) async fn alone(batcher: Arc<Batcher>, submission: Submission) {
    let batch = Batch::apart(vec![submission], ClosedBy::Lone);
    in_turn_as(batcher, batch, Some(Body::Own)).await;
}

/// Makes a call when its turn comes.
pub(super) async fn in_turn(batcher: Arc<Batcher>, batch: Batch) {
    in_turn_as(batcher, batch, None).await;
}

async fn in_turn_as(batcher: Arc<Batcher>, batch: Batch, body: Option<Body>) {
    let Some(original) = batch.original() else { return };
    match original.upstream.permit(&original.ticket).await {
        Ok(permit) => {
            // Whoever has left while it waited is not asked for.
            let wanted = batch.submissions.into_iter().filter_map(Submission::without_unwanted);
            let batch = Batch::apart(wanted.collect(), batch.closed);
            let body = body.unwrap_or_else(|| batcher.choose_body(&batch));
            exchange(batcher, batch, body, permit).await;
        }
        Err(error) => batch.submissions.into_iter().for_each(|submission| fail(submission, &error)),
    }
}

/// Makes a call whose turn has come.
pub(super) async fn run(batcher: Arc<Batcher>, batch: Batch, permit: Permit) {
    let body = batcher.choose_body(&batch);
    exchange(batcher, batch, body, permit).await;
}

async fn exchange(batcher: Arc<Batcher>, mut batch: Batch, body: Body, permit: Permit) {
    let Some(original) = batch.original() else { return };
    let Some(call) = write(&batch, body) else { return };
    count(&batcher, &original.upstream, &batch);
    let started = Instant::now();
    let until = batch.submissions.iter().map(|one| one.original.ticket.until).max().flatten();
    let is_wanted = || batch.submissions.iter().any(Submission::is_wanted);
    let patience = Patience { until, is_wanted: &is_wanted };
    let calling = original.upstream.call(permit, call, &patience);
    let (result, permit) = tokio::select! {
        biased;
        outcome = calling => outcome,
        () = orphaned(&batch) => {
            let took = started.elapsed();
            return original.upstream.metrics.called(Operation::Embed, Called::Failed("abandoned"), took);
        }
    };
    // Before the next one's turn comes, so that it knows who may be back.
    drop(batch.under_way.take());
    drop(permit);
    settle::settle(&batcher, batch, body, result).await;
}

/// Waits until no request has waited for a call for its `orphan_grace`. The flights of the call end with it.
async fn orphaned(batch: &Batch) {
    let Some(original) = batch.original() else { return };
    loop {
        for seat in batch.submissions.iter().flat_map(|one| &one.seats) {
            seat.lead.deserted().await;
        }
        sleep(original.upstream.settings.orphan_grace).await;
        if !batch.submissions.iter().any(Submission::is_wanted) {
            return;
        }
    }
}

impl Batcher {
    /// A request that is alone in its call goes in its own bytes, which nothing can be more
    /// faithful than. For others base64 is asked for, which is short and exact, once an answer in
    /// numbers has told how the provider prints them.
    fn choose_body(&self, batch: &Batch) -> Body {
        let Some(first) = batch.submissions.first() else { return Body::Own };
        if batch.submissions.len() == 1 && first.is_complete() {
            return Body::Own;
        }
        if first.original.encoding == Encoding::Kept {
            return Body::Built(Encoding::Kept);
        }
        match self.numbers(&first.original.subject) {
            Numbers::Shortest | Numbers::Widened => Body::Built(Encoding::Base64),
            Numbers::Doubles | Numbers::Unseen | Numbers::Verbatim => Body::Built(Encoding::Float),
        }
    }
}

impl Batch {
    /// The request in whose name the call is made.
    fn original(&self) -> Option<Arc<Original>> {
        self.submissions.first().map(|first| Arc::clone(&first.original))
    }
}

/// The call that a batch makes, in the name of its first request; all others differ from it in
/// nothing that is forwarded, or they would not be in its lane.
fn write(batch: &Batch, body: Body) -> Option<Call> {
    let original = &batch.submissions.first()?.original;
    Some(match body {
        Body::Own => original.as_call(),
        Body::Built(encoding) => {
            let seats = batch.submissions.iter().flat_map(|submission| &submission.seats);
            let inputs: Vec<&Input<'static>> = seats.map(|seat| &seat.input).collect();
            let call = EmbedCall {
                model: &original.model,
                inputs: &inputs,
                params: &original.params,
                user: original.user.as_deref(),
                encoding,
            };
            let mut call = original.call(&call);
            call.cause = cause(batch);
            call
        }
    })
}

/// The requests that a call is made for, as far as they are traced: the first one's trace goes on.
fn cause(batch: &Batch) -> Option<Cause> {
    let traces = batch.submissions.iter().filter_map(|one| one.original.trace.as_ref());
    let mut traces = traces.map(Arc::clone);
    let span = traces.next()?;
    Some(Cause { span, others: traces.map(|other| other.context()).collect() })
}

#[expect(clippy::cast_precision_loss, reason = "a histogram of counts")]
fn count(batcher: &Batcher, upstream: &Upstream, batch: &Batch) {
    let inputs: usize = batch.submissions.iter().map(|submission| submission.seats.len()).sum();
    let metrics = &upstream.metrics;
    metrics.batch_inputs.observe(inputs as f64);
    if let Some(oldest) = batch.submissions.iter().map(|submission| submission.since).min() {
        metrics.batch_linger.observe(oldest.elapsed().as_secs_f64());
    }
    let joined = (batch.submissions.len() as u64).saturating_sub(1);
    batcher.metrics.saved_by_batching.inc_by(joined);
    if let Some(original) = batch.original().filter(|_| joined > 0) {
        original.account().batched(joined);
    }
    match batch.closed {
        ClosedBy::Lone => metrics.closed_lone.inc(),
        ClosedBy::Linger => metrics.closed_linger.inc(),
        ClosedBy::Inputs => metrics.closed_inputs.inc(),
        ClosedBy::Tokens => metrics.closed_tokens.inc(),
        ClosedBy::Bytes => metrics.closed_bytes.inc(),
    }
}
