//! What providers said, in files that can be committed: written by a sidecar that records, read by one
//! that replays.
//!
//! # What is recorded, and where
//!
//! A recording is made of what clients were answered, above the cache and the batches, so that it does not
//! depend on how calls were put together, nor on what was there already. Two kinds of it:
//!
//! - An embedding is a function of its input. Each input's vector is a file of its own, under the digest of
//!   the provider, the model, the parameters and the input: other lists of the same inputs find them, in
//!   whichever encoding they ask.
//! - Everything else is one question and its answers: a file for each, under the digest of the provider,
//!   the method, the path and the query without credentials, and the body in one spelling.
//!
//! The refused alternatives: recording calls below the cache makes the lists of a batch a part of the
//! question, so that another moment's batches are never found; and the disk tier's entries are keyed with
//! a secret and with who asked, which is right for a cache and wrong for CI, which has no key.
//!
//! No header of a request, no text of it and no credential is in a file. A file is written whole and then
//! renamed, so that whoever reads, or is killed, never sees half of one.

mod embedding;
mod exchange;
mod folder;
mod player;
mod recorder;

use std::io;
use std::path::Path;
use std::sync::Arc;

use http::Method;
use tokio_util::task::TaskTracker;

pub use exchange::Told;
pub use player::{Found, Player};
pub use recorder::Recorder;

use crate::config::words::Mode;
use crate::key::Digest;
use folder::Folder;

/// What becomes of answers, where they do not simply come from providers.
#[derive(Debug, Clone)]
pub enum Recordings {
    /// They are recorded.
    Record(Arc<Recorder>),
    /// They are those that were recorded.
    Replay(Arc<Player>),
}

impl Recordings {
    /// Opens a folder of recordings as a mode wants it; `None` where nothing is recorded or replayed. An
    /// error names the file that is wrong.
    pub fn open(mode: Mode, path: &str, tasks: &TaskTracker) -> io::Result<Option<Self>> {
        let folder = || Folder::new(Path::new(path));
        Ok(match mode {
            Mode::Live => None,
            Mode::Record => Some(Self::Record(Recorder::start(folder(), tasks.clone())?)),
            Mode::Replay => Some(Self::Replay(Arc::new(Player::open(folder())?))),
        })
    }
}

/// What is asked, as recordings know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// All of it that an answer may depend on.
    pub digest: Digest,
    /// The name of the provider.
    pub provider: String,
    /// How.
    pub method: Method,
    /// Where below the base URL, without the query.
    pub path: String,
    /// The model, where one is named.
    pub model: String,
}
