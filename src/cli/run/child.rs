//! The command: how it starts, is told of signals, and ends.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{self, Command};

use super::super::Failure;
use super::signals::{Signals, is_told_to_all};
use crate::server::with_inherited_limit;

/// A command that runs.
#[derive(Debug)]
pub(super) struct Child(process::Child);

impl Child {
    /// Starts it with variables beside those of this process.
    pub(super) fn start(
        command: &[OsString],
        variables: Vec<(&'static str, String)>,
    ) -> Result<Self, Failure> {
        let (program, arguments) = command.split_first().expect("clap wants one at the least");
        let mut command = Command::new(program);
        command.args(arguments).envs(variables);
        let started = with_inherited_limit(|| command.spawn());
        started.map(Self).map_err(|error| {
            // As shells do: 127 is not there, 126 is there and cannot be run.
            let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            Failure::Command(format!("{}: {error}", program.display()), code)
        })
    }

    /// Its exit code, once it has one; until then it is told what this process is told.
    pub(super) async fn ended(mut self, signals: &mut Signals) -> Result<u8, Failure> {
        loop {
            tokio::select! {
                ended = self.0.wait() => {
                    let lost = |error: io::Error| Failure::Running(error.to_string());
                    return ended.map(code).map_err(lost);
                }
                signal = signals.next() => self.tell(signal),
            }
        }
    }

    fn tell(&self, signal: Signal) {
        // Until it was waited for, its number is nobody else's.
        let pid = self.0.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let Some(pid) = pid.filter(|_| !is_told_to_all(signal)) else { return };
        if let Err(error) = kill_process(pid, signal) {
            tracing::warn!(%error, ?signal, "a signal was not passed on");
        }
    }
}

/// As shells give it.
fn code(status: ExitStatus) -> u8 {
    let signalled = status.signal().map(|signal| 128 + signal);
    let code = status.code().or(signalled).unwrap_or(1);
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}
