//! `larder run`: a sidecar, and one command that uses it, in one process' life.
//!
//! The sidecar is there before the command starts, and ends after it. What the environment said of
//! providers before is where the sidecar's calls go: nobody's key is sent elsewhere than without it.

mod child;
mod sidecar;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use self::child::Child;
use self::sidecar::Sidecar;
use self::signals::{Signals, code};
use super::admin::Admin;
use super::serve::announce;
use super::settings::{ServeArgs, start_logs};
use super::variables::{Standing, leading};
use super::{Failure, runtime, say, stats};
use crate::config::{Config, Override};

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
    let runtime = runtime()?;
    let (config, standing) = resolve(&args.serve)?;
    start_logs(&config.log);
    for warning in args.serve.warnings() {
        tracing::warn!("{warning}");
    }
    runtime.block_on(accompany(args, config, &standing)).map(ExitCode::from)
}

async fn accompany(args: &Args, mut config: Config, standing: &Standing) -> Result<u8, Failure> {
    // Before anything that a signal would have to end.
    let mut signals = Signals::listen().map_err(|error| Failure::Running(error.to_string()))?;
    let again = args.serve.located();
    let read = move || match resolve(&again) {
        Ok((config, _)) => Ok(config),
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
        say(&failure);
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

/// The configuration: free ports and few words where nothing else is said, and the providers that the
/// environment names.
fn resolve(serve: &ServeArgs) -> Result<(Config, Standing), Failure> {
    let own = [
        ("server.listen", "127.0.0.1:0"),
        ("server.admin_listen", "127.0.0.1:0"),
        ("log.level", "warn"),
    ];
    let own = own.map(|(key, text)| Override {
        key: key.to_owned(),
        text: text.to_owned(),
        place: "larder run".to_owned(),
    });
    let mut defaults = own.to_vec();
    let config = serve.resolve_above(&defaults)?;
    let standing = Standing::of(&config);
    let settings = standing.settings(&config.server.default_provider);
    defaults.extend(settings.map_err(Failure::Usage)?);
    // All was well before these.
    let theirs = |failure| Failure::Usage(format!("{failure} (environment: {standing})"));
    Ok((serve.resolve_above(&defaults).map_err(theirs)?, standing))
}
