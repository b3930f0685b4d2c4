//! What comes of a call that brings no vectors.
//!
//! A call that was made for several requests may be refused for one of them, and the provider does
//! not say which. Then each request goes alone, in its own bytes, and gets its own answer. A call
//! that is larger than the provider takes is cut and sent again. Whatever else a provider says is
//! the answer to everybody in the call.

use std::sync::Arc;

use super::call::{self, Body};
use super::lane::Batch;
use super::original::{Outcome, Refused, Submission};
use super::plan::{self, ClosedBy, Size};
use super::{Batcher, fail};
use crate::config::words::Oversize;
use crate::dialect::Refusal;
use crate::error::{Error, Kind};
use crate::key::Digest;
use crate::request::Unity;
use crate::upstream::Answer;

/// A no: cut the call, or take it apart, or pass the no on.
pub(super) fn refused(batcher: &Arc<Batcher>, batch: Batch, body: Body, answer: Answer) {
    let Some(first) = batch.submissions.first() else { return };
    let original = Arc::clone(&first.original);
    let upstream = &original.upstream;
    let seats: usize = batch.submissions.iter().map(|one| one.seats.len()).sum();
    let sent = if body == Body::Own { original.weights.len() } else { seats };
    let may_cut =
        upstream.settings.oversize == Oversize::Split && original.unity == Unity::Free && sent > 1;
    match upstream.dialect.classify(answer.status, &answer.body) {
        // Whoever says more than was sent speaks of something else.
        Refusal::TooManyInputs(said) if may_cut && said.is_none_or(|cap| cap < sent) => {
            let cap = batcher.lessons.learn_cap(original.ticket.line, sent, said);
            cut(batcher, batch, cap);
        }
        Refusal::TooLarge if may_cut => cut(batcher, batch, seats.div_ceil(2)),
        Refusal::Shared => verdict(batch, answer, None),
        _ if body == Body::Own || is_part(&batch) => {
            verdict(batch, answer, Some(original.fingerprint()));
        }
        _ => {
            upstream.metrics.isolated_input.inc();
            isolate(batcher, batch);
        }
    }
}

/// An answer that is not to be trusted: nobody but who asked for just this gets to see it.
pub(super) fn invalid(
    batcher: &Arc<Batcher>,
    batch: Batch,
    body: Body,
    (answer, reason): (Answer, &str),
) {
    let Some(first) = batch.submissions.first() else { return };
    let original = Arc::clone(&first.original);
    let upstream = &original.upstream;
    upstream.metrics.invalid_replies.inc();
    tracing::warn!(upstream = upstream.name, reason, "provider response failed validation");
    if body == Body::Own {
        return verdict(batch, answer, Some(original.fingerprint()));
    }
    if is_part(&batch) {
        let message = format!("invalid response from {}: {reason}", upstream.name);
        let error = Error::new(Kind::UpstreamInvalid, message);
        return batch.submissions.into_iter().for_each(|submission| fail(submission, &error));
    }
    upstream.metrics.isolated_invalid.inc();
    isolate(batcher, batch);
}

/// A part of a request that is too large to be asked as it came.
fn is_part(batch: &Batch) -> bool {
    matches!(batch.submissions.as_slice(), [only] if only.cut)
}

/// Each request alone, in its own bytes. Parts of larger ones stay the parts they are.
fn isolate(batcher: &Arc<Batcher>, batch: Batch) {
    for submission in batch.submissions {
        if submission.cut {
            let batch = Batch::apart(vec![submission], ClosedBy::Lone);
            batcher.spawn(call::in_turn(Arc::clone(batcher), batch));
        } else {
            batcher.spawn(call::alone(Arc::clone(batcher), submission));
        }
    }
}

/// The same seats in calls of at most so many inputs.
fn cut(batcher: &Arc<Batcher>, batch: Batch, inputs: usize) {
    let limit = Size { inputs: inputs.max(1), tokens: usize::MAX, bytes: usize::MAX };
    for mut submission in batch.submissions {
        submission.original.upstream.metrics.isolated_limit.inc();
        let seats = std::mem::take(&mut submission.seats);
        for seats in plan::cut(seats, |seat| Size::of(&seat.input), &limit) {
            let submissions = vec![submission.part(seats)];
            let batch = Batch::apart(submissions, ClosedBy::Inputs);
            batcher.spawn(call::in_turn(Arc::clone(batcher), batch));
        }
    }
}

fn verdict(batch: Batch, answer: Answer, only: Option<Digest>) {
    let answer = Arc::new(answer);
    batch.submissions.iter().flat_map(|one| &one.seats).for_each(|seat| seat.lead.depart());
    for Submission { seats, .. } in batch.submissions {
        for seat in seats {
            let refused = Refused { answer: Arc::clone(&answer), only };
            seat.lead.land(Outcome::Refused(refused));
        }
    }
}
