//! `larder-bench`: the same work against several targets in turn, and what came of it.
//!
//! A run goes through `run` (probe, warm, blocks in the order A B B A), a block through `block` (threads,
//! connections, one asker for each), an answer through `truth` (is it right). `report` says what was
//! measured: a table, JSON, HTML. Nothing here knows larder, but for the headers that it answers with and the
//! simulated provider's oracle; any server that speaks `OpenAI`'s shapes can be measured.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people: what is counted or drawn is far below 2^52 and never negative"
)]

mod args;
mod arrivals;
mod asker;
mod block;
mod cached;
mod catalogue;
mod chance;
mod connection;
mod connector;
mod limits;
mod memory;
mod plan;
mod probe;
mod process;
mod progress;
mod provider;
mod question;
mod reply;
mod report;
mod run;
mod seen;
mod stream;
mod tally;
mod target;
mod text;
mod trouble;
mod truth;
mod turns;
mod workload;
mod zipf;

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::Cli;

/// How a run ended, if not well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage: exit code 2.
    Usage(String),
    /// It could not be measured, or a limit does not hold: exit code 1.
    Running(String),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Running(message) => f.write_str(message),
        }
    }
}

fn main() -> ExitCode {
    let failure = match Cli::parse().plan().and_then(|plan| run::run(&plan)) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    say(&failure);
    ExitCode::from(match failure {
        Failure::Usage(_) => 2,
        Failure::Running(_) => 1,
    })
}

/// A line for people on standard error. Whoever closed it does not want to be told.
fn say(line: &dyn Display) {
    drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
}
