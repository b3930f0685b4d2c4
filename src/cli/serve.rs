//! `larder serve`: the sidecar.

use tokio::sync::watch;

use super::settings::{ServeArgs, start_logs};
use super::{Failure, say};
use crate::server::{self, Addresses, Ends, Inherited, Run, Source};

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    // Before any file is opened.
    let source = source(args.upgrade)?;
    let config = args.resolve()?;
    start_logs(&config.log);
    let (_never, stop) = watch::channel(false);
    let again = args.clone();
    let read = move || again.resolve().map_err(|failure| failure.to_string());
    let (read, announce) = (Box::new(read), Box::new(|addresses| announce(&addresses)));
    let run = Run { source, read, ends: Ends::AtSignal, stop, announce };
    server::run(&config, run).map_err(Failure::from)
}

fn source(upgrade: bool) -> Result<Source, Failure> {
    let inherited = Inherited::take()?;
    match (upgrade, inherited.is_empty()) {
        (false, _) => Ok(Source::Opened(inherited)),
        (true, true) => Ok(Source::HandedOver),
        (true, false) => {
            let message = "--upgrade takes the listeners over from a running process, and \
                LISTEN_FDS has brought others";
            Err(Failure::Usage(message.to_owned()))
        }
    }
}

/// Says where it listens, for people and for what waits until it does.
pub(super) fn announce(Addresses { proxy, admin, unix }: &Addresses) {
    let unix = unix.as_ref().map(|path| format!(" unix={path}")).unwrap_or_default();
    say(&format_args!("listening proxy={proxy} admin={admin}{unix}"));
}

impl From<server::Failure> for Failure {
    fn from(failure: server::Failure) -> Self {
        match failure {
            server::Failure::Config(message) => Self::Usage(message),
            other => Self::Running(other.to_string()),
        }
    }
}
