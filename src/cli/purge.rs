//! `larder purge`: removes entries from a running sidecar.

use http::Method;
use serde::Deserialize;

use super::admin::Admin;
use super::settings::ServeArgs;
use super::{Failure, print, runtime};

/// The filters of a purge.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Entries of this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Entries of this model, as applications write it
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Entries whose model or PROVIDER/MODEL/OPERATION matches: `*`, `?`, `[a-z]`, `{one,two}`. The
    /// operation is embed or chat
    #[arg(long = "match", value_name = "GLOB")]
    like: Option<String>,
    /// Entries stored before: 2026-11-26T08:00:00Z, seconds since 1970, or an age such as 24h or 7d
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// The entry with this key, as `/api/entries` and `larder export` show it
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// All entries
    #[arg(long, conflicts_with_all = ["provider", "model", "like", "before", "key"])]
    all: bool,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
}

/// The response to a purge.
#[derive(Debug, Deserialize)]
struct Told {
    purged: u64,
}

impl Args {
    /// The path of the purge.
    fn path(&self) -> Result<String, Failure> {
        let filters = [
            ("provider", &self.provider),
            ("model", &self.model),
            ("match", &self.like),
            ("before", &self.before),
            ("key", &self.key),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut filtered = false;
        for (name, value) in filters {
            if let Some(value) = value {
                query.append_pair(name, value);
                filtered = true;
            }
        }
        if !filtered && !self.all {
            let message =
                "say which entries: --provider, --model, --match, --before, --key, or --all";
            return Err(Failure::Usage(message.to_owned()));
        }
        if self.dry_run {
            query.append_pair("dry_run", "true");
        }
        Ok(format!("/api/entries?{}", query.finish()))
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let path = args.path()?;
    let config = args.serve.resolve_client()?;
    let runtime = runtime()?;
    let body = runtime.block_on(async { Admin::of(&config)?.send(Method::DELETE, &path).await })?;
    let told: Told = serde_json::from_slice(&body)
        .map_err(|error| Failure::Running(format!("not a response of larder: {error}")))?;
    let entries = if told.purged == 1 { "entry" } else { "entries" };
    let done = if args.dry_run { "would be purged" } else { "purged" };
    print(&format_args!("{} {entries} {done}", told.purged))
}
