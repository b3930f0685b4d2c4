//! Reads from a relayed answer of a model what it used, without reading the answer: counts stand at its
//! beginning or at its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::dialect::chat::{Used, used};
use crate::ledger::{Account, Tokens};

/// How much of the end is looked at; and of the beginning, at the most.
const END: usize = 2 << 10;

/// What an answer is entered to when it has come. Of its pieces copies are kept: whoever read them could
/// not use its room again while anybody had a part of it.
#[derive(Debug)]
pub(super) struct Meter {
    account: Arc<Account>,
    since: Instant,
    first: Vec<u8>,
    last: VecDeque<u8>,
}

impl Meter {
    pub(super) fn new(account: Arc<Account>, since: Instant) -> Self {
        Self { account, since, first: Vec::new(), last: VecDeque::new() }
    }

    /// A piece of the answer.
    pub(super) fn take(&mut self, piece: &[u8]) {
        if self.first.is_empty() {
            self.first.extend_from_slice(piece.get(..END).unwrap_or(piece));
        }
        let end = piece.get(piece.len().saturating_sub(END)..).unwrap_or_default();
        let before = (self.last.len() + end.len()).saturating_sub(END);
        self.last.drain(..before);
        self.last.extend(end);
    }

    /// The answer has come to its end.
    pub(super) fn end(mut self) {
        let Used { input, output } = used(self.last.make_contiguous());
        let at_first = used(&self.first);
        let tokens = Tokens {
            input: input.or(at_first.input).unwrap_or(0),
            output: output.or(at_first.output).unwrap_or(0),
        };
        self.account.called(tokens, self.since.elapsed());
    }
}
