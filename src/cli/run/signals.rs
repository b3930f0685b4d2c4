//! What this process is told, to be passed on.

use std::fs::File;
use std::io;

use futures_util::future::select_all;
use rustix::process::{Signal, getpgrp};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{self, SignalKind};

/// Every signal that a command may be waiting for.
pub(super) struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// From now on they end nothing by themselves.
    pub(super) fn listen() -> io::Result<Self> {
        let all =
            [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2];
        let listen =
            |signal: Signal| Ok((signal, unix::signal(SignalKind::from_raw(signal.as_raw()))?));
        all.into_iter().map(listen).collect::<io::Result<_>>().map(Self)
    }

    /// The next one. Nothing is lost if it is not awaited to the end.
    pub(super) async fn next(&mut self) -> Signal {
        let waits = self.0.iter_mut().map(|(signal, stream)| {
            Box::pin(async move {
                stream.recv().await;
                *signal
            })
        });
        select_all(waits).await.0
    }
}

/// The exit code of who was ended by a signal, as shells give it.
pub(super) fn code(signal: Signal) -> u8 {
    u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX)
}

/// Whether the command has been told too: what is typed at a terminal is for everybody in front, and a
/// second Ctrl-C means more than one.
pub(super) fn is_told_to_all(signal: Signal) -> bool {
    matches!(signal, Signal::HUP | Signal::INT | Signal::QUIT) && is_in_front()
}

fn is_in_front() -> bool {
    let Ok(terminal) = File::open("/dev/tty") else { return false };
    tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp())
}
