//! The output of commands: results on standard output, lines for people on standard error.

use std::fmt::{self, Display};
use std::io::{self, Write};

use crate::os_error::without_numbers;

/// A command that failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Wrong usage or configuration: exit code 2.
    Usage(String),
    /// Failed while running: exit code 1.
    Running(String),
    /// The command that was to be run could not be started: an exit code as shells give it.
    Command(String, u8),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Running(message) | Self::Command(message, _) => {
                f.write_str(&without_numbers(message))
            }
        }
    }
}

impl Failure {
    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Running(_) => 1,
            Self::Command(_, code) => *code,
        }
    }
}

/// Prints a line for people on standard error, at once.
pub(super) fn say(line: &dyn Display) {
    // A closed standard error is no reason to fail.
    drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
}

/// Prints an error on standard error, one line for each of its lines.
pub(super) fn complain(error: &dyn Display) {
    error.to_string().lines().for_each(|line| say(&format_args!("error: {line}")));
}

/// Prints a warning on standard error.
pub(super) fn warn(warning: &dyn Display) {
    say(&format_args!("warning: {warning}"));
}

/// Prints a command's result on standard output.
pub(super) fn print(text: &dyn Display) -> Result<(), Failure> {
    print_on(text).map(|_| ())
}

/// Prints like [`print`]; false if the reader has closed the pipe, as `head` does. That is no failure.
pub(super) fn print_on(text: &dyn Display) -> Result<bool, Failure> {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Running(error.to_string())),
    }
}
