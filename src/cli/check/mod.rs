//! `larder check`: a verdict on the configuration, its differences from the defaults, and a probe.

mod disk;
mod providers;

use std::time::Duration;

use super::columns::aligned;
use super::settings::{Loaded, ServeArgs};
use super::{Failure, print, warn};
use crate::config::Config;
use crate::config::units::{SecretUrl, Setting};
use crate::metrics::Layer;
use crate::server::{self, Built};
use crate::tier::redis::Redis;
use disk::Use;

/// Maximum time until a tier answers a probe.
const PATIENCE: Duration = Duration::from_secs(3);

/// The configuration to check.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Ask the tiers, and call the default provider, each configured provider, and each with a key in
    /// `NAME_API_KEY`; print a table of the results
    #[arg(long)]
    probe: bool,
    /// Model of the embedding that --probe requests
    #[arg(long, default_value = "text-embedding-3-small")]
    model: String,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let label = args.serve.file_label();
    let loaded = args.serve.load().or_else(|problems| {
        print(&verdict(&label, problems.len()))?;
        Err(Failure::from(problems))
    })?;
    let Loaded { mut config, warnings, .. } = loaded;
    let in_use = disk::usage(&config.disk);
    if matches!(in_use, Use::Busy(_)) {
        // The running larder serves the directory: the check does without it.
        config.disk.dir.clear();
    }
    let built = built(&config).or_else(|failure| {
        print(&verdict(&label, 1))?;
        Err(failure)
    })?;
    print(&verdict(&label, 0))?;
    for warning in &warnings {
        warn(warning);
    }
    let differences = config.differences();
    let differences = differences.trim_end();
    let none = "# every value is at its default";
    print(&format_args!("\n{}", if differences.is_empty() { none } else { differences }))?;
    if args.probe { probe(&config, &built, (&args.model, &in_use)) } else { Ok(()) }
}

/// One line about a file, or about the lack of one.
fn verdict(label: &str, errors: usize) -> String {
    match errors {
        0 if label == NO_FILE => {
            format!("{label}: the defaults, with flags and variables, are valid")
        }
        0 => format!("{label}: valid"),
        1 => format!("{label}: 1 error"),
        _ => format!("{label}: {errors} errors"),
    }
}

/// The label of a check without a file.
pub(super) const NO_FILE: &str = "no file";

fn built(config: &Config) -> Result<Built, Failure> {
    let built = server::build(config);
    let built = built.and_then(|built| server::check_files(config).map(|()| built));
    built.map_err(|failure| Failure::of(&failure, &config.sources))
}

/// A row of the table: the part, its address, and the result or why there is none.
struct Row {
    part: String,
    address: String,
    result: Result<String, String>,
}

fn probe(config: &Config, built: &Built, (model, in_use): (&str, &Use)) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::Running(e.to_string()))?;
    let mut rows = Vec::new();
    if let Use::Busy(directory) = in_use {
        let (part, address) = ("disk".to_owned(), directory.path.clone());
        rows.push(Row { part, address, result: Ok(directory.to_string()) });
    }
    rows.extend(runtime.block_on(tiers(config, built)));
    rows.extend(runtime.block_on(providers::probe(config, built, model)));
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let table = aligned(&cells, 3);
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    print(&format_args!("\n{}", lines.join("\n")))?;
    let failed = rows.iter().filter(|row| row.result.is_err()).map(|row| row.part.as_str());
    let failed: Vec<&str> = failed.collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Running(format!("the probe failed for: {}", failed.join(", "))))
}

fn cells(row: &Row) -> Vec<String> {
    let result = match &row.result {
        Ok(result) => result.clone(),
        Err(reason) => format!("failed: {reason}"),
    };
    vec![row.part.clone(), row.address.clone(), result]
}

/// The tiers below memory.
async fn tiers(config: &Config, built: &Built) -> Vec<Row> {
    let mut rows = Vec::new();
    for (layer, took) in built.service.tiers.probe(PATIENCE).await {
        let address = match layer {
            Layer::Disk => config.disk.dir.clone(),
            Layer::Redis => SecretUrl::shown(config.redis.url.expose()),
            Layer::Memory => String::new(),
        };
        let result = match (took, layer) {
            (Some(took), _) => Ok(format!("answers in {took:.1?}")),
            (None, Layer::Disk | Layer::Memory) => {
                Err("it cannot be opened; see the log of the sidecar".to_owned())
            }
            (None, Layer::Redis) => Err(Redis::diagnose(&config.redis).await),
        };
        rows.push(Row { part: layer.label().to_owned(), address, result });
    }
    rows
}
