//! `larder serve`: the sidecar.

use serde_json::json;
use tokio::sync::watch;

use super::settings::{Loaded, ServeArgs, start_logs};
use super::started::Started;
use super::{Failure, VERSION, say};
use crate::config::Sources;
use crate::config::words::LogFormat;
use crate::server::{self, Addresses, Ends, Inherited, Run, Source};

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    // Before any file is opened.
    let source = source(args.upgrade)?;
    let args = args.located();
    let loaded = args.load().map_err(Failure::from)?;
    start(&loaded);
    let started = Started::of(&loaded);
    let (_never, stop) = watch::channel(false);
    let again = args.clone();
    let read = move || again.resolve().map_err(|failure| failure.to_string());
    let announce = move |addresses| {
        announce(&addresses, started.format);
        started.log(&addresses);
    };
    let (read, announce) = (Box::new(read), Box::new(announce));
    let run = Run { source, read, ends: Ends::AtSignal, stop, announce };
    server::run(&loaded.config, run)
        .map_err(|failure| Failure::of(&failure, &loaded.config.sources))
}

/// Starts the log with the version and the file, and logs the warnings.
pub(super) fn start(loaded: &Loaded) {
    start_logs(&loaded.config.log);
    let file = loaded.file.as_ref().map_or("none".to_owned(), |file| file.display().to_string());
    tracing::info!(version = VERSION, config = file, "larder starts");
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
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

/// Prints the addresses, for people and for programs that wait for them. The line does not depend on the
/// log level.
pub(super) fn announce(Addresses { proxy, admin, unix }: &Addresses, format: LogFormat) {
    if format == LogFormat::Json {
        let mut line = json!({
            "level": "INFO", "message": "listening", "proxy": proxy.to_string(), "admin": admin.to_string(),
        });
        if let (Some(line), Some(unix)) = (line.as_object_mut(), unix) {
            line.insert("unix".to_owned(), unix.clone().into());
        }
        return say(&line);
    }
    let unix = unix.as_ref().map(|path| format!(" unix={path}")).unwrap_or_default();
    say(&format_args!("listening proxy={proxy} admin={admin}{unix}"));
}

impl Failure {
    /// A failure of the server, with the place of the key that it is about.
    pub(super) fn of(failure: &server::Failure, sources: &Sources) -> Self {
        match failure {
            server::Failure::Config(..) => Self::Usage(failure.placed(sources)),
            other => Self::Running(other.to_string()),
        }
    }
}

impl From<server::Failure> for Failure {
    fn from(failure: server::Failure) -> Self {
        Self::of(&failure, &Sources::default())
    }
}
