//! Reads from a relayed answer of a model what it used, without reading the answer.

use std::sync::Arc;
use std::time::Instant;

use crate::dialect::chat::{LONGEST_COUNT, Used, may_be_used, used};
use crate::ledger::{Account, Tokens};

/// How much is looked at together, where it comes without lines.
const TOGETHER: usize = 2 << 10;

/// What an answer is entered to when it has come. Most of its pieces are whole lines that tell nothing, for
/// which no more than this is looked at.
#[derive(Debug)]
pub(super) struct Meter {
    /// Whether the last piece ended within a line.
    is_within: bool,
    told: Box<Told>,
}

/// What was told so far. Of pieces copies are kept: whoever read them could not use its room again while
/// anybody had a part of it.
#[derive(Debug)]
struct Told {
    account: Arc<Account>,
    since: Instant,
    used: Used,
    /// What was not looked at yet.
    text: Vec<u8>,
}

impl Meter {
    pub(super) fn new(account: Arc<Account>, since: Instant) -> Self {
        let told = Told { account, since, used: Used::default(), text: Vec::new() };
        Self { is_within: false, told: Box::new(told) }
    }

    /// A piece of the answer.
    pub(super) fn take(&mut self, piece: &[u8]) {
        let is_whole = piece.ends_with(b"\n");
        if self.is_within || !is_whole || may_be_used(piece) {
            self.told.take(piece, is_whole);
        }
        self.is_within = !is_whole;
    }

    /// The answer has come to its end.
    pub(super) fn end(mut self) {
        self.told.look();
        let Told { account, since, used: Used { input, output }, .. } = *self.told;
        let tokens = Tokens { input: input.unwrap_or(0), output: output.unwrap_or(0) };
        account.called(tokens, since.elapsed());
    }
}

impl Told {
    fn take(&mut self, piece: &[u8], is_whole: bool) {
        self.text.extend_from_slice(piece);
        if is_whole {
            self.look();
            self.text = Vec::new();
        } else if self.text.len() > TOGETHER {
            self.look();
            let rest = self.text.len() - LONGEST_COUNT;
            self.text = self.text.get(rest..).unwrap_or_default().to_vec();
        }
    }

    /// What came last counts.
    fn look(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let Used { input, output } = used(&self.text);
        self.used = Used { input: input.or(self.used.input), output: output.or(self.used.output) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Prices;
    use crate::ledger::Ledger;
    use crate::metrics::{Metrics, Operation};

    /// What an answer is billed as that came in pieces of so many bytes.
    fn billed(answer: &str, at_a_time: usize) -> (u64, u64) {
        let ledger = Ledger::new(&Metrics::new().unwrap(), &Prices::none());
        let account = ledger.of("openai").of(Operation::Chat, "gpt-4o-mini");
        let mut meter = Meter::new(Arc::clone(&account), Instant::now());
        answer.as_bytes().chunks(at_a_time).for_each(|piece| meter.take(piece));
        meter.end();
        let Tokens { input, output } = account.billed();
        (input, output)
    }

    #[test]
    fn counts_are_found_wherever_an_answer_is_cut() {
        let stream = format!(
            "data: {}\n\ndata: {}\n\n{}data: {}\n\ndata: [DONE]\n\n",
            r#"{"message":{"usage":{"input_tokens":1234,"output_tokens":1}}}"#,
            r#"{"delta":{"content":"\"output_tokens\": 9 is a token"}}"#,
            "data: {\"delta\":{\"content\":\"word \"}}\n\n".repeat(200),
            r#"{"usage":{"output_tokens":56789}}"#
        );
        for at_a_time in (1..100).chain([4_096, 1 << 20]) {
            assert_eq!(billed(&stream, at_a_time), (1_234, 56_789), "{at_a_time}");
        }
        // Without lines, and with the counts anywhere in what is looked at together.
        for before in (0..TOGETHER + 200).step_by(7) {
            let (words, counts) =
                ("x".repeat(before), r#""prompt_eval_count":12,"eval_count":345"#);
            let whole = format!(r#"{{"message":"{words}",{counts},"context":"{words}"}}"#);
            for at_a_time in [97, 1_000, TOGETHER, 1 << 20] {
                assert_eq!(billed(&whole, at_a_time), (12, 345), "{before}, {at_a_time}");
            }
        }
    }
}
