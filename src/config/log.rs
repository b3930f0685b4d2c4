//! What is logged.

use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;
use super::words::{LogFormat, LogLevel};

section! {
    /// What is logged, and how. Logs go to standard error.
    Log {
        /// For people, or one JSON object a line.
        format: LogFormat = "text",
        /// From which weight on events are logged.
        level: LogLevel = "info",
        /// A line for each request as well, when the head of its answer goes out: path, provider, status,
        /// what the cache did, milliseconds. Never a body, a query or a credential.
        requests: bool = "false",
    }
}
