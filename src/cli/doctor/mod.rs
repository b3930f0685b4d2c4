//! `larder doctor`: what is wrong with a running sidecar, and what to do.
//!
//! It takes one snapshot of the admin API. Each rule is a pure function over the snapshot.

mod hits;
mod limits;
mod providers;
mod rules;
mod series;
mod snapshot;

use std::process::ExitCode;

use serde_json::json;

use super::admin::Admin;
use super::columns::counted;
use super::settings::ServeArgs;
use super::{Failure, print, runtime};
use crate::config::Problem;
use rules::Finding;
use snapshot::Snapshot;

/// The options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Print one JSON object: `problems` and `ok`
    #[arg(long)]
    json: bool,
}

/// The exit code 0 if nothing is wrong, otherwise 1.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (config, problems) = args.serve.for_client()?;
    let admin = Admin::of(&config)?;
    let snapshot = runtime()?.block_on(Snapshot::take(&admin, &config))?;
    let mut findings: Vec<Finding> = problems.iter().map(invalid).collect();
    match &snapshot {
        Some(snapshot) => findings.extend(rules::all(snapshot)),
        None => findings.push(absent(&admin)),
    }
    let (wrong, fine): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.advice.is_some());
    let text = if args.json { json(&wrong, &fine) } else { report(admin.address(), &wrong, &fine) };
    print(&text)?;
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A problem of the configuration's file. The running sidecar may have read an earlier one.
fn invalid(problem: &Problem) -> Finding {
    let advice = "A start or a reload refuses this file. `larder check` validates it.".to_owned();
    Finding::wrong("file", problem.to_string(), advice)
}

/// The finding where no sidecar listens.
fn absent(admin: &Admin) -> Finding {
    Finding::wrong(
        "listening",
        format!("No sidecar listens at {}.", admin.address()),
        "Start one with `larder serve`, or run one program with `larder run -- COMMAND`. If the \
         sidecar has another admin address, name it with --admin-listen."
            .to_owned(),
    )
}

fn report(address: &str, wrong: &[&Finding], fine: &[&Finding]) -> String {
    let mut parts = Vec::new();
    let problems = wrong.len() as u64;
    parts.push(match problems {
        0 => format!("Nothing is wrong with the sidecar at {address}.\n"),
        _ => format!("{} at {address}:\n", counted(problems, "problem")),
    });
    for (number, finding) in (1..).zip(wrong) {
        let advice = finding.advice.as_deref().unwrap_or_default();
        parts.push(format!("{number}. {}\n   {advice}\n", finding.text));
    }
    parts.extend(fine.iter().map(|finding| format!("ok  {}", finding.text)));
    parts.join("\n").trim_end().to_owned()
}

fn json(wrong: &[&Finding], fine: &[&Finding]) -> String {
    let problem = |finding: &&Finding| json!({ "rule": finding.rule, "problem": finding.text, "advice": finding.advice });
    let ok = |finding: &&Finding| json!({ "rule": finding.rule, "text": finding.text });
    let problems: Vec<_> = wrong.iter().map(problem).collect();
    let fine: Vec<_> = fine.iter().map(ok).collect();
    format!("{:#}", json!({ "problems": problems, "ok": fine }))
}
