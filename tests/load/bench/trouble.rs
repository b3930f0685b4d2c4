//! Why there is no good answer.

use std::fmt::{self, Display};
use std::io;

use http::StatusCode;

/// What went wrong with a request; what is wrong in an answer that came is no trouble, but an untruth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// No connection.
    Unreachable(io::ErrorKind),
    /// Another status than 2xx.
    Status(u16),
    /// No whole answer within `--timeout`.
    TimedOut,
    /// The connection ended before the answer did.
    Cut,
    /// An answer that has not the expected shape, or another number of vectors.
    Malformed,
    /// A stream that ended without saying so.
    Unfinished,
    /// No connection became free within `--timeout` of the time at which the request was due.
    Unsent,
}

impl Trouble {
    /// What a status says.
    pub(crate) fn of(status: StatusCode) -> Result<(), Self> {
        if status.is_success() { Ok(()) } else { Err(Self::Status(status.as_u16())) }
    }

    /// Whether the connection can be used again.
    pub(crate) fn spares_connection(self) -> bool {
        matches!(self, Self::Status(_) | Self::Malformed | Self::Unsent)
    }

    /// Whether somebody waited until there was no sense in it: then the wait is a latency, too.
    pub(crate) fn is_wait(self) -> bool {
        matches!(self, Self::TimedOut | Self::Unsent)
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(kind) => write!(f, "no connection ({kind})"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Cut => f.write_str("connection cut"),
            Self::Malformed => f.write_str("malformed answer"),
            Self::Unfinished => f.write_str("stream without its end"),
            Self::Unsent => f.write_str("no free connection in time"),
        }
    }
}
