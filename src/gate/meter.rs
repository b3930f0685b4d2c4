//! Reads from a relayed answer of a model what it used, without reading the answer: counts stand at its
//! beginning or at its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::dialect::chat::{Used, used};
use crate::ledger::{Account, Tokens};

/// How much of the end is looked at, at the least.
const END: usize = 4 << 10;

/// What an answer is entered to when it has come.
#[derive(Debug)]
pub(super) struct Meter {
    account: Arc<Account>,
    since: Instant,
    first: Option<Bytes>,
    last: VecDeque<Bytes>,
    held: usize,
}

impl Meter {
    pub(super) fn new(account: Arc<Account>, since: Instant) -> Self {
        Self { account, since, first: None, last: VecDeque::new(), held: 0 }
    }

    /// A piece of the answer.
    pub(super) fn take(&mut self, piece: &Bytes) {
        self.first.get_or_insert_with(|| piece.clone());
        self.held += piece.len();
        self.last.push_back(piece.clone());
        while let Some(oldest) = self.last.front()
            && self.held - oldest.len() >= END
        {
            self.held -= oldest.len();
            self.last.pop_front();
        }
    }

    /// The answer has come to its end.
    pub(super) fn end(self) {
        let Used { input, output } =
            used(&self.last.iter().flatten().copied().collect::<Vec<u8>>());
        let at_first = self.first.as_deref().map(used).unwrap_or_default();
        let tokens = Tokens {
            input: input.or(at_first.input).unwrap_or(0),
            output: output.or(at_first.output).unwrap_or(0),
        };
        self.account.called(tokens, self.since.elapsed());
    }
}
