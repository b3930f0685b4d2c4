//! The log.

use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;
use super::words::{LogFormat, LogLevel};

section! {
    /// Log, on standard error.
    Log {
        /// `text`: for people. `json`: one JSON object a line.
        format: LogFormat = "text",
        /// Minimum log level: `error`, `warn`, `info`, `debug` or `trace`.
        level: LogLevel = "info",
        /// Also logs each request when the head of its response is sent: path, provider, status, cache result,
        /// milliseconds. Never bodies, queries or credentials.
        requests: bool = "false",
    }
}
