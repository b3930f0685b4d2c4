//! The log of a process.

use std::io::{self, IsTerminal};
use std::panic;

use tracing_subscriber::EnvFilter;

use crate::config::Log;
use crate::config::words::{LogFormat, LogLevel};

/// Sends logs to standard error, as the configuration says.
pub(super) fn start_logs(log: &Log) {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    panic::set_hook(Box::new(|panic| {
        // The place without the message, which may quote a request.
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic");
    }));
    // Libraries log errors only.
    let filter = EnvFilter::new(format!("error,larder={level}"));
    // Colours are for people, not for files.
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logs are on already");
    }
}
