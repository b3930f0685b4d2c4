//! One connection's part of a block: it takes a turn, asks, waits, counts, until no turn is left.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::block::Block;
use super::cached::Cached;
use super::connection::{self, Connection};
use super::question::{Input, Question};
use super::stream::Streamed;
use super::tally::{Good, Tally};
use super::trouble::Trouble;
use super::truth::Source;
use super::turns::Turn;
use super::workload::Kind;

/// Later than this a start is late.
const PUNCTUAL: Duration = Duration::from_millis(1);
/// How long to wait after a refused connection: it would be refused again at once.
const PAUSE: Duration = Duration::from_millis(20);

/// One asker.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) block: Arc<Block>,
    pub(crate) connection: Connection,
    /// The thread's; nobody else has it for longer than it takes to count.
    pub(crate) tally: Arc<Mutex<Tally>>,
}

impl Asker {
    /// Asks until no turn is left.
    pub(crate) async fn run(mut self) {
        let block = Arc::clone(&self.block);
        loop {
            let free = Instant::now();
            let Some(turn) = block.turns.next().await else { return };
            let question = block.work.question(block.part, turn.number);
            let start = Instant::now();
            let late = turn.due.is_some_and(|due| start - due.max(free) > PUNCTUAL);
            if late {
                self.count(|tally| tally.late += 1);
            }
            self.ask(&question, turn, start).await;
            block.progress.add();
        }
    }

    async fn ask(&mut self, question: &Question, turn: Turn, start: Instant) {
        let patience = self.block.timeout;
        let due = turn.due.unwrap_or(start);
        if start - due >= patience {
            return self.count(|tally| tally.add_trouble(Trouble::Unsent, start - due));
        }
        let answered = timeout(patience, self.exchange(question, due)).await;
        let trouble = match answered {
            Ok(Ok(good)) => return self.count(|tally| tally.add(&good, due.elapsed())),
            Ok(Err(trouble)) => trouble,
            Err(_) => Trouble::TimedOut,
        };
        self.count(|tally| tally.add_trouble(trouble, due.elapsed()));
        self.block.progress.fail();
        if !trouble.spares_connection() {
            self.connection.close();
        }
        if matches!(trouble, Trouble::Unreachable(_)) {
            sleep(PAUSE).await;
        }
    }

    async fn exchange(&mut self, question: &Question, due: Instant) -> Result<Good, Trouble> {
        let block = Arc::clone(&self.block);
        let answer = self.connection.ask(&block.path, question.body.clone()).await?;
        let inputs = question.inputs.len() as u64;
        let cached = Cached::read(answer.headers(), inputs);
        let found = if block.work.kind == Kind::Stream {
            let stream = Streamed::read(answer.into_body()).await?;
            let text = question.inputs.first().map(|input| input.text(&block.work.catalogue));
            let found = block.truth.judge_words(text.unwrap_or_default(), &stream.words);
            self.count(|tally| tally.add_stream(&stream, due));
            found
        } else {
            let body = connection::whole(answer.into_body()).await?;
            let hit = cached.is_some_and(|cached| cached.hit == inputs);
            let source = Source { target: block.part.target, hit };
            block.truth.read(source, &question.inputs, &body)?
        };
        let fresh = question.inputs.iter().filter(|input| match input {
            Input::Known(place) => block.seen.add(*place),
            Input::New { first, .. } => *first,
        });
        Ok(Good { inputs, fresh: fresh.count() as u64, cached, found })
    }

    fn count(&self, add: impl FnOnce(&mut Tally)) {
        add(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
