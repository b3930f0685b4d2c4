//! `larder run`: a sidecar, and one command that uses it, in one process' life.
//!
//! The sidecar is there before the command starts, and ends after it. What the environment said of
//! providers before is where the sidecar's calls go: nobody's key is sent elsewhere than without it.

mod child;
mod sidecar;
mod signals;

use std::cell::OnceCell;
use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use self::child::Child;
use self::sidecar::Sidecar;
use self::signals::{Signals, code};
use super::admin::Admin;
use super::serve::announce;
use super::settings::{Defaults, Loaded, ServeArgs, start_logs};
use super::variables::{Standing, leading};
use super::{Failure, complain, runtime, say, stats};
use crate::config::{Config, Override, Problem, Server};

/// The sidecar's options, and the command.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// The command and its arguments, after --
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The command's own exit code, if it was started.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    // The variable may be set for a `larder serve` of the same environment.
    if args.serve.upgrade && env::var_os("LARDER_UPGRADE").is_none() {
        let message = "--upgrade is an option of `larder serve`: the sidecar of `larder run` has free \
            ports of its own";
        return Err(Failure::Usage(message.to_owned()));
    }
    let runtime = runtime()?;
    let (Loaded { config, warnings, .. }, standing) = load(&args.serve)?;
    start_logs(&config.log);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    runtime.block_on(accompany(args, config, &standing)).map(ExitCode::from)
}

async fn accompany(args: &Args, mut config: Config, standing: &Standing) -> Result<u8, Failure> {
    // Before anything that a signal would have to end.
    let mut signals = Signals::listen().map_err(|error| Failure::Running(error.to_string()))?;
    let again = args.serve.located();
    let read = move || match load(&again) {
        Ok((loaded, _)) => Ok(loaded.config),
        Err(failure) => Err(failure.to_string()),
    };
    let mut sidecar = Sidecar::start(config.clone(), Box::new(read));
    let addresses = tokio::select! {
        addresses = sidecar.ready() => addresses,
        signal = signals.next() => {
            sidecar.end().await?;
            return Ok(code(signal));
        }
    };
    let Some(addresses) = addresses else {
        sidecar.end().await?;
        return Err(Failure::Running("the sidecar stopped before it was ready".to_owned()));
    };
    announce(&addresses, config.log.format);
    config.server.admin_listen = addresses.admin;
    let admin = Admin::of(&config)?;
    let result = serve_child(args, (&config, standing), (&admin, &mut signals)).await;
    drop(admin);
    if let Err(failure) = sidecar.end().await {
        // What the command came to is what counts.
        complain(&failure);
    }
    result
}

/// The command's life, with the sidecar there.
async fn serve_child(
    args: &Args,
    (config, standing): (&Config, &Standing),
    (admin, signals): (&Admin, &mut Signals),
) -> Result<u8, Failure> {
    let proxy = admin.proxy().await?;
    let proxy = proxy.ok_or_else(|| Failure::Running("the sidecar has stopped".to_owned()))?;
    let child = Child::start(&args.command, leading(config, &proxy, standing))?;
    let code = child.ended(signals).await?;
    match stats::line(admin).await {
        Ok(line) => say(&format_args!("larder: {line}")),
        Err(failure) => tracing::warn!(%failure, "the summary is not available"),
    }
    Ok(code)
}

/// The configuration: free ports and warnings only, unless the operator sets others, and the providers that
/// the environment names.
fn load(serve: &ServeArgs) -> Result<(Loaded, Standing), Failure> {
    let own = [
        ("server.listen", "127.0.0.1:0"),
        ("server.admin_listen", "127.0.0.1:0"),
        ("log.level", "warn"),
        // `OTEL_SERVICE_NAME` is that of the command.
        ("traces.service_name", "larder"),
    ];
    let own = own.map(|(key, text)| Override {
        key: key.to_owned(),
        text: text.to_owned(),
        place: "larder run".to_owned(),
    });
    let standing = OnceCell::new();
    let derived = |server: &Server| {
        let standing = standing.get_or_init(|| Standing::of(server));
        standing.settings(&server.default_provider).map_err(|message| {
            let (place, key) = ("the environment".to_owned(), String::new());
            vec![Problem { place, key, message }]
        })
    };
    let loaded = serve.load_above(&Defaults { fixed: own.to_vec(), derived: &derived })?;
    Ok((loaded, standing.into_inner().unwrap_or_default()))
}
