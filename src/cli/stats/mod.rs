//! `larder stats`: the ledger of a running sidecar.

mod figures;
mod rates;
mod table;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::admin::Admin;
use super::settings::ServeArgs;
use super::{Failure, print, print_on, runtime};

/// Interval between two tables of --watch.
const EVERY: Duration = Duration::from_secs(2);

/// Without the history, which is the largest part.
const PATH: &str = "/api/stats?since=9e99";

/// The options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Print the response of `/api/stats`, as JSON
    #[arg(long)]
    json: bool,
    /// Print it again every two seconds, with the rates since the last time, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// The savings and the failures of a sidecar so far, in one line.
pub(super) async fn line(admin: &Admin) -> Result<String, Failure> {
    let body = admin.get(PATH).await?;
    table::line(&body).map_err(|error| Failure::Running(error.to_string()))
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.serve.resolve_client()?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let admin = Admin::of(&config)?;
        let mut before: Option<(Bytes, Instant)> = None;
        loop {
            let (body, now) = (admin.get(PATH).await?, Instant::now());
            let shown = if args.json {
                String::from_utf8_lossy(&body).into_owned()
            } else {
                let table =
                    table::of(&body).map_err(|error| Failure::Running(error.to_string()))?;
                let rates = before.as_ref().and_then(|(before, at)| {
                    rates::between(before, &body, now.duration_since(*at))
                });
                rates.into_iter().chain([table]).collect::<Vec<_>>().join("\n")
            };
            if !args.watch {
                return print(&shown);
            }
            let clear = if io::stdout().is_terminal() && !args.json { "\x1b[2J\x1b[H" } else { "" };
            if !print_on(&format_args!("{clear}{shown}"))? {
                return Ok(());
            }
            before = Some((body, now));
            tokio::time::sleep(EVERY).await;
        }
    })
}
