//! One provider call for the inputs of one request or of several.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep;

use super::lane::Batch;
use super::original::{Original, Submission};
use super::plan::ClosedBy;
use super::refused::{self, Failed, Trouble};
use super::{Batcher, settle};
use crate::dialect::EmbedCall;
use crate::metrics::{Called, Operation};
use crate::request::{Encoding, Input};
use crate::trace::Cause;
use crate::upstream::{Call, Patience, Permit, Upstream};

/// Whose bytes a call is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// The request's own, unchanged: its inputs are all of the call, by their positions.
    Own,
    /// Written for the seats, in their order.
    Built(Encoding),
}

/// The options of a call that is not a lane's.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Attempt {
    /// Its body, where that is not for the batch to choose.
    pub(super) body: Option<Body>,
    /// Whether a call for the same inputs got no response: the breaker counts that one only.
    pub(super) is_repetition: bool,
}

/// Sends one request as it came, when its turn comes.
pub(super) async fn alone(batcher: Arc<Batcher>, batch: Batch) {
    in_turn_as(batcher, batch, Some(Body::Own)).await;
}

/// Makes a call when its turn comes.
pub(super) async fn in_turn(batcher: Arc<Batcher>, batch: Batch) {
    in_turn_as(batcher, batch, None).await;
}

/// Makes a call with this body when its turn comes.
async fn in_turn_as(batcher: Arc<Batcher>, batch: Batch, body: Option<Body>) {
    let attempt = Attempt { body, ..Attempt::default() };
    let result = attempt_in_turn(&batcher, batch, attempt).await;
    settled(&batcher, result);
}

/// Makes a call when its turn comes. A call that brought no vectors comes back.
pub(super) async fn attempt_in_turn(
    batcher: &Arc<Batcher>,
    mut batch: Batch,
    Attempt { body, is_repetition }: Attempt,
) -> Result<(), Box<Failed>> {
    let Some(original) = batch.original() else { return Ok(()) };
    let permit = match original.upstream.permit(&original.ticket).await {
        Ok(permit) if is_repetition => permit.for_repetition(),
        Ok(permit) => permit,
        Err(error) => {
            let trouble = Trouble::Unsent(error);
            let body = body.unwrap_or(Body::Own);
            return Err(Box::new(Failed { batch, body, trouble }));
        }
    };
    // Requests that were cancelled while this one waited are not sent.
    let submissions = std::mem::take(&mut batch.submissions).into_iter();
    batch.submissions = submissions.filter_map(Submission::without_unwanted).collect();
    let body = body.unwrap_or_else(|| batcher.choose_body(&batch));
    exchange(batcher, batch, body, permit).await
}

/// Makes a call for base64 again, for numbers.
pub(super) fn again_in_numbers(batcher: &Arc<Batcher>, batch: Batch) {
    let numbers = Body::Built(Encoding::Float);
    batcher.spawn(in_turn_as(Arc::clone(batcher), batch, Some(numbers)));
}

/// Makes a call whose turn has come.
pub(super) async fn run(batcher: Arc<Batcher>, batch: Batch, permit: Permit) {
    let body = batcher.choose_body(&batch);
    let result = exchange(&batcher, batch, body, permit).await;
    settled(&batcher, result);
}

fn settled(batcher: &Arc<Batcher>, result: Result<(), Box<Failed>>) {
    if let Err(failed) = result {
        refused::handle(batcher, *failed);
    }
}

async fn exchange(
    batcher: &Arc<Batcher>,
    mut batch: Batch,
    body: Body,
    permit: Permit,
) -> Result<(), Box<Failed>> {
    let Some(original) = batch.original() else { return Ok(()) };
    let Some(call) = write(&batch, body) else { return Ok(()) };
    count(&original.upstream, &batch);
    if batch.submissions.len() > 1 {
        batcher.sends_merged(&original, batch.inputs());
    }
    let started = Instant::now();
    let until = batch.submissions.iter().map(|one| one.original.ticket.until).max().flatten();
    let is_wanted = || batch.submissions.iter().any(Submission::is_wanted);
    let patience = Patience { until, is_wanted: &is_wanted };
    let calling = original.upstream.call(permit, call, &patience);
    let (result, permit) = tokio::select! {
        biased;
        outcome = calling => outcome,
        () = orphaned(&batch) => {
            let called = Called::Failed("abandoned");
            original.upstream.metrics.called(Operation::Embed, called, started.elapsed());
            return Ok(());
        }
    };
    // Before the next one's turn comes, so that it knows who may be back.
    drop(batch.under_way.take());
    drop(permit);
    settle::settle(batcher, batch, body, result).await
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
    /// The body of a batch's call. A request that is alone in its call goes in its own bytes, the most faithful
    /// form. Clients that all want base64 get the provider's. For clients that want numbers larder asks for base64,
    /// which is shorter, only where it was proven to be of the same numbers.
    fn choose_body(&self, batch: &Batch) -> Body {
        let Some(first) = batch.submissions.first() else { return Body::Own };
        if batch.submissions.len() == 1 && first.is_complete() {
            return Body::Own;
        }
        let encoding = first.original.encoding;
        if encoding == Encoding::Kept {
            return Body::Built(Encoding::Kept);
        }
        let form = self.lessons.of(&first.original.subject).form;
        let wants_base64 = |one: &Submission| one.original.encoding == Encoding::Base64;
        let is_wanted = !form.is_declined() && batch.submissions.iter().all(wants_base64);
        let is_base64 = is_wanted || form.is_base64_believed();
        Body::Built(if is_base64 { Encoding::Base64 } else { Encoding::Float })
    }

    /// Notes that a merged call is sent.
    fn sends_merged(&self, original: &Original, inputs: usize) {
        self.lessons.change(original.subject, |lesson| lesson.merging.sent(inputs, Instant::now()));
    }
}

impl Batch {
    /// The request in whose name the call is made.
    pub(super) fn original(&self) -> Option<Arc<Original>> {
        self.submissions.first().map(|first| Arc::clone(&first.original))
    }

    /// The number of inputs.
    pub(super) fn inputs(&self) -> usize {
        self.submissions.iter().map(|submission| submission.seats.len()).sum()
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
fn count(upstream: &Upstream, batch: &Batch) {
    let metrics = &upstream.metrics;
    metrics.batch_inputs.observe(batch.inputs() as f64);
    if let Some(oldest) = batch.submissions.iter().map(|submission| submission.since).min() {
        metrics.batch_linger.observe(oldest.elapsed().as_secs_f64());
    }
    match batch.closed {
        ClosedBy::Lone => metrics.closed_lone.inc(),
        ClosedBy::Linger => metrics.closed_linger.inc(),
        ClosedBy::Inputs => metrics.closed_inputs.inc(),
        ClosedBy::Tokens => metrics.closed_tokens.inc(),
        ClosedBy::Bytes => metrics.closed_bytes.inc(),
    }
}
