//! What became of a request of a job.

use std::time::Duration;

use http::StatusCode;

use super::super::reply::{Content, Reply};
use crate::dialect::Dialect;
use crate::error::Error;
use crate::upstream::{Answer, asked_to_wait};

/// What became of it.
#[derive(Debug)]
pub enum Asked {
    /// Everything is there: so many inputs were, and so many came.
    Came(usize, usize),
    /// The provider, or larder, has no time; when it may have some, if that was said.
    Later(Option<Duration>, String),
    /// It is wrong in itself, perhaps for one of its inputs.
    Wrong(String),
    /// Nobody who asks like this will get anything.
    Never(String),
}

impl Asked {
    /// The same of a reply of larder's, to a request that a provider of this dialect is asked with.
    pub(super) fn of(reply: Result<Reply, &'static str>, dialect: &dyn Dialect) -> Self {
        match reply {
            Err(_) => Self::Wrong("not an embedding request that larder understands".to_owned()),
            Ok(Reply { content: Content::Written(..), verdict }) => {
                let items = verdict.items.unwrap_or_default();
                Self::Came(items.hit, items.miss + items.collapsed)
            }
            Ok(Reply { content: Content::Passed(answer), .. }) => Self::refused(&answer, dialect),
            Ok(Reply { content: Content::Failed(error), .. }) => Self::failed(&error),
            Ok(_) => Self::Never("the response has no embeddings".to_owned()),
        }
    }

    /// Of a provider's answer that is none to the question.
    pub fn refused(answer: &Answer, dialect: &dyn Dialect) -> Self {
        let text = format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body).trim());
        match answer.status {
            StatusCode::TOO_MANY_REQUESTS if dialect.is_out_of_quota(&answer.body) => {
                Self::Never(text)
            }
            StatusCode::TOO_MANY_REQUESTS => Self::Later(asked_to_wait(&answer.headers), text),
            status if status.is_server_error() => Self::Later(asked_to_wait(&answer.headers), text),
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Self::Wrong(text),
            _ => Self::Never(text),
        }
    }

    /// Of a failure to ask.
    pub fn failed(error: &Error) -> Self {
        let text = format!("{}: {error}", error.kind.code());
        if error.kind.is_providers() {
            return Self::Later(error.retry_after, text);
        }
        Self::Wrong(text)
    }
}
