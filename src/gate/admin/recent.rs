//! What went wrong of late.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::{Response, header::HeaderName};

use crate::clock::unix_seconds;
use crate::metrics::Operation;

/// So many are held.
const MOST: usize = 50;

static CODE: HeaderName = HeaderName::from_static("x-larder-error");

/// The last answers that were failures, newest first.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Mishap>>);

/// An answer that was a failure.
#[derive(Debug, Clone)]
pub struct Mishap {
    /// When, in seconds since 1970.
    pub time: f64,
    /// Whose answer it was to be.
    pub provider: String,
    /// What was asked for.
    pub operation: Operation,
    /// The status.
    pub status: u16,
    /// What larder calls it, where it is its own.
    pub code: Option<String>,
    /// How often it came, one after the other.
    pub count: u64,
}

impl Recent {
    /// Notes an answer, if it is a failure.
    pub fn note<B>(&self, (provider, operation): (&str, Operation), response: &Response<B>) {
        let status = response.status();
        if !status.is_server_error() && status.as_u16() != 429 {
            return;
        }
        let code = response.headers().get(&CODE).and_then(|code| code.to_str().ok());
        let mishap = Mishap {
            time: unix_seconds(),
            provider: provider.to_owned(),
            operation,
            status: status.as_u16(),
            code: code.map(str::to_owned),
            count: 1,
        };
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = recent.front_mut().filter(|last| last.is_like(&mishap)) {
            (last.time, last.count) = (mishap.time, last.count + 1);
            return;
        }
        recent.truncate(MOST - 1);
        recent.push_front(mishap);
    }

    /// All of them, newest first.
    pub fn all(&self) -> Vec<Mishap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Mishap {
    fn is_like(&self, other: &Self) -> bool {
        let kind = |mishap: &Self| (mishap.operation, mishap.status);
        kind(self) == kind(other) && self.provider == other.provider && self.code == other.code
    }
}
