//! The search for a cap that a provider's refusal does not name: a list is sent again in halves, and where all parts
//! are accepted, their size is the cap.
//!
//! A list is refused for other reasons too, such as one bad input. Then a part is refused as well, and the client
//! gets the provider's response to the whole list.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;

use super::Batcher;
use super::call::{self, Attempt, Body};
use super::lane::{Batch, size_of};
use super::original::{Original, Seat, Submission};
use super::plan::{self, ClosedBy, Size};
use super::refused::{self, Failed, Trouble};
use crate::upstream::Answer;

/// Searches for the size that is accepted, with the inputs of a request that was refused.
pub(super) async fn search(batcher: Arc<Batcher>, submission: Submission, refusal: Answer) {
    let refused = size_of(&submission);
    let list = List { batcher, original: Arc::clone(&submission.original), refusal };
    let line = list.original.ticket.line;
    let found = list.send(submission).await;
    list.batcher.lessons.change(line, |lesson| match found {
        Some(accepted) => lesson.caps.found(&accepted, &refused, list.is_about_tokens()),
        None => lesson.caps.found_none(Instant::now()),
    });
}

/// A list that was refused.
struct List {
    batcher: Arc<Batcher>,
    original: Arc<Original>,
    refusal: Answer,
}

/// The outcome of a part.
enum Outcome {
    Accepted,
    Refused(Vec<Seat>),
    /// It failed otherwise, and its inputs have their error.
    Lost,
}

impl List {
    /// Sends the list in parts; the size of the largest part, if all were accepted.
    async fn send(&self, mut submission: Submission) -> Option<Size> {
        let seats = std::mem::take(&mut submission.seats);
        let (accepted, rest) = self.first(&submission, seats).await?;
        let mut limit = accepted.of_inputs();
        if self.is_about_tokens() {
            limit.tokens = accepted.tokens;
        }
        let parts = plan::cut(rest, |seat| Size::of(&seat.input), &limit).into_iter();
        let parts: Vec<Submission> = parts.map(|seats| submission.part(seats)).collect();
        let tokens = parts.iter().map(|part| size_of(part).tokens).max().unwrap_or(0);
        let outcomes = join_all(parts.into_iter().map(|part| self.attempt(part))).await;
        let is_lost = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Lost));
        let refused = outcomes.into_iter().filter_map(|outcome| match outcome {
            Outcome::Refused(seats) => Some(seats),
            Outcome::Accepted | Outcome::Lost => None,
        });
        let refused: Vec<Seat> = refused.flatten().collect();
        if refused.is_empty() {
            return (!is_lost).then_some(Size { tokens: accepted.tokens.max(tokens), ..accepted });
        }
        self.refuse(submission.part(refused));
        None
    }

    /// Sends the beginning of the list, half as much each time, until it is accepted: its size, and the rest.
    async fn first(
        &self,
        submission: &Submission,
        mut seats: Vec<Seat>,
    ) -> Option<(Size, Vec<Seat>)> {
        let mut others = Vec::new();
        while seats.len() > 1 {
            others.splice(..0, seats.split_off(seats.len().div_ceil(2)));
            let part = submission.part(seats);
            let size = size_of(&part);
            seats = match self.attempt(part).await {
                Outcome::Accepted => return Some((size, others)),
                Outcome::Refused(seats) => seats,
                Outcome::Lost => Vec::new(),
            };
        }
        seats.append(&mut others);
        self.refuse(submission.part(seats));
        None
    }

    /// Sends a part.
    async fn attempt(&self, part: Submission) -> Outcome {
        let batch = Batch::apart(vec![part], ClosedBy::Inputs);
        let sent = call::attempt_in_turn(&self.batcher, batch, Attempt::default()).await;
        let Err(failed) = sent else { return Outcome::Accepted };
        if !matches!(failed.trouble, Trouble::Refused(_)) {
            refused::give_up(*failed);
            return Outcome::Lost;
        }
        Outcome::Refused(failed.batch.submissions.into_iter().flat_map(|one| one.seats).collect())
    }

    /// Gives these inputs the response to the whole list.
    fn refuse(&self, submission: Submission) {
        let batch = Batch::apart(vec![submission], ClosedBy::Inputs);
        let trouble = Trouble::Refused(self.refusal.clone());
        refused::give_up(Failed { batch, body: Body::Own, trouble });
    }

    fn is_about_tokens(&self) -> bool {
        let body = String::from_utf8_lossy(&self.refusal.body).to_ascii_lowercase();
        self.refusal.status.as_u16() == 413 || body.contains("token")
    }
}
