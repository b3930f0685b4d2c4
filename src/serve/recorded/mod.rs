//! Requests as recordings know them, and what goes into one. Read `crate::recording` for what is recorded
//! where, and why.

mod inputs;
mod question;
mod replay;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

pub use question::question;

use super::Ask;
use crate::credential;
use crate::recording::{Question, Recorder, Told};

/// How long a credential is at the least. What is shorter stands for none, and may be a word of an answer.
const SHORTEST: usize = 12;

/// A request whose answer is recorded.
pub struct Taping {
    recorder: Arc<Recorder>,
    /// As its client asked it, whoever answers in the end.
    question: Question,
    /// What its query says, without credentials.
    query: String,
    /// What no recording may hold.
    credentials: Vec<Vec<u8>>,
}

impl Taping {
    /// Records the answer to a request.
    pub fn new(recorder: &Arc<Recorder>, question: Question, ask: &Ask) -> Self {
        let path_and_query = &ask.target.path_and_query;
        let shown = credential::shown(&ask.headers, path_and_query);
        let credentials = shown.filter(|key| key.len() >= SHORTEST).map(<[u8]>::to_vec).collect();
        let query = question::query(path_and_query);
        Self { recorder: Arc::clone(recorder), question, query, credentials }
    }

    /// Records an answer that came to its end.
    pub fn told(&self, told: Told) {
        let body = self.credentials.iter().fold(told.body, |body, key| struck(body, key));
        let is_clean = |value: &[u8]| {
            self.credentials.iter().all(|key| credential::find(value, key).is_none())
        };
        let kept = told.headers.iter().filter(|(_, value)| is_clean(value.as_bytes()));
        let headers: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.recorder.answer(&self.question, Told { headers, body, ..told });
    }

    /// Says once that an answer went by.
    pub fn went_by(&self, what: &str) {
        self.recorder.went_by(what);
    }
}

/// Bytes without a credential that an error may quote.
fn struck(body: Bytes, key: &[u8]) -> Bytes {
    if credential::find(&body, key).is_none() {
        return body;
    }
    question::replaced(&body, key, b"***").into()
}

impl fmt::Debug for Taping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taping").field("question", &self.question.digest).finish_non_exhaustive()
    }
}
