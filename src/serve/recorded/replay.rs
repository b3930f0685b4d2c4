//! Answers from a recording, or not at all. No provider is asked, and nothing is waited for but files.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::super::reply::{Content, Items, Manner, Reply, Verdict};
use super::super::{Ask, Service};
use super::inputs::keys_of;
use crate::dialect::{EmbedShape, Endpoint};
use crate::error::{Error, Kind};
use crate::recording::{Found, Player, Question, Told};
use crate::request::EmbedRequest;
use crate::upstream::Answer;
use crate::vector::Vector;

impl Service {
    /// Answers a request with what was recorded for it.
    ///
    /// An embedding that was recorded is given whatever else was said before: an error that came first, and
    /// went away, is not one of the input's.
    pub async fn answer_recorded(
        &self,
        player: &Arc<Player>,
        ask: &Ask,
        question: &Question,
    ) -> Reply {
        let mut missing = None;
        if let Endpoint::Embed(shape) = ask.target.endpoint
            && let Ok(request) = shape.read(&ask.target.path_and_query, &ask.body)
        {
            let keys = keys_of(question, &ask.target.path_and_query, &request);
            let inputs = keys.len();
            match looked_up(player, move |player| player.vectors(&keys)).await {
                Ok(Found::All(vectors)) => {
                    return self.composed(ask, (shape, &request), vectors).await;
                }
                Ok(Found::Missing(count)) => missing = Some((count, inputs)),
                Err(error) => return unreadable(&error),
            }
        }
        let digest = question.digest;
        match looked_up(player, move |player| player.answer(&digest)).await {
            Ok(Some(told)) => again(told),
            Ok(None) => not_recorded(player, question, missing),
            Err(error) => unreadable(&error),
        }
    }

    /// An answer made of vectors.
    async fn composed(
        &self,
        ask: &Ask,
        asked: (&'static dyn EmbedShape, &EmbedRequest<'_>),
        vectors: Vec<Vector>,
    ) -> Reply {
        let items = Items { hit: vectors.len(), ..Items::default() };
        let content = match self.write(ask, asked, vectors).await {
            Ok(body) => Content::Written(body, None),
            Err(error) => Content::Failed(error),
        };
        let verdict = Verdict { items: Some(items), ..recorded() };
        Reply { content, verdict }
    }
}

async fn looked_up<T: Send + 'static>(
    player: &Arc<Player>,
    look: impl FnOnce(&Player) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let player = Arc::clone(player);
    spawn_blocking(move || look(&player)).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn recorded() -> Verdict {
    Verdict { manner: Manner::Recorded, ..Verdict::default() }
}

fn again(told: Told) -> Reply {
    let Told { status, headers, body } = told;
    let answer = Answer { status, headers, body, took: Duration::ZERO, call: None };
    let items = Some(Items { hit: 1, ..Items::default() });
    let verdict = Verdict { items, undivided: true, ..recorded() };
    Reply { content: Content::Passed(Arc::new(answer)), verdict }
}

fn not_recorded(player: &Player, question: &Question, missing: Option<(usize, usize)>) -> Reply {
    let differs = player.differs(question);
    let message = match missing {
        Some((count, inputs)) => format!("not recorded: {count} of {inputs} inputs; {differs}"),
        None => format!("not recorded: {differs}"),
    };
    tracing::warn!("{message}");
    failed(Error::new(Kind::NotRecorded, message))
}

/// A file that was good at the start, and is not any more.
fn unreadable(error: &io::Error) -> Reply {
    tracing::error!(%error, "cannot read a recording");
    failed(Error::new(Kind::NotRecorded, format!("cannot read a recording: {error}")))
}

fn failed(error: Error) -> Reply {
    Reply { content: Content::Failed(error), verdict: Verdict::bypass("replay") }
}
