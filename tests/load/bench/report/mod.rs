//! What is said of a run: in a table, as JSON, as a page; and whether it was a good one.

pub(crate) mod figures;
mod html;
mod json;
mod machine;
mod plot;
mod spread;
mod table;
mod verdict;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use super::plan::Plan;
use super::run::Ran;
use super::tally::Tally;
use super::truth::Verify;
use super::{Failure, say};
use figures::Figures;
use machine::Machine;

/// More late starts than this make a run invalid.
const MOST_LATE: f64 = 0.01;
/// Of the processor time that it can have, the harness may use so much.
const MOST_OWN: f64 = 0.9;

/// Everything that is said.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) figures: Vec<Figures>,
    pub(crate) machine: Machine,
    pub(crate) verify: Verify,
    /// The share of the processors that it could have which the harness used.
    pub(crate) own_share: Option<f64>,
    /// Why the figures mean nothing.
    pub(crate) invalid: Vec<String>,
    /// What is to be known beside the figures.
    pub(crate) remarks: Vec<String>,
    /// Why the run failed.
    pub(crate) failures: Vec<String>,
    /// The outcome in words.
    pub(crate) verdict: String,
}

/// Writes everything that is wanted, and says whether the run was good.
pub(crate) fn write(plan: &Plan, ran: &Ran) -> Result<(), Failure> {
    let report = Report::of(plan, ran);
    print(&table::of(&report))?;
    if let Some(file) = &plan.json {
        save(file, &json::of(plan, &report))?;
    }
    if let Some(file) = &plan.html {
        save(file, &html::of(plan, &report))?;
    }
    if report.failures.is_empty() {
        return Ok(());
    }
    Err(Failure::Running(report.failures.join("\n")))
}

impl Report {
    fn of(plan: &Plan, ran: &Ran) -> Self {
        let figures = figures::of(plan, ran);
        let own_share = own_share(plan, ran);
        let invalid = invalid(ran);
        let mut remarks = remarks(&figures, own_share);
        if ran.stopped {
            remarks.push("the run was ended early".to_owned());
        }
        let mut failures = failures(&figures);
        failures.extend(plan.limits.broken(&figures));
        if plan.limits.are_set() && !invalid.is_empty() {
            failures
                .push(format!("limits are set, and the run is invalid: {}", invalid.join("; ")));
        }
        let verdict = verdict::of(plan, &figures);
        let (machine, verify) = (Machine::this(), ran.verify);
        Self { figures, machine, verify, own_share, invalid, remarks, failures, verdict }
    }
}

fn own_share(plan: &Plan, ran: &Ran) -> Option<f64> {
    let rounds = || ran.outcomes.iter().flat_map(|outcome| &outcome.rounds);
    let own: Duration = rounds().filter_map(|round| round.own).sum();
    let elapsed: Duration = rounds().map(|round| round.measured.elapsed).sum();
    let share = own.as_secs_f64() / elapsed.as_secs_f64() / plan.threads as f64;
    share.is_finite().then_some(share)
}

fn invalid(ran: &Ran) -> Vec<String> {
    let mut sum = [0, 0];
    for round in ran.outcomes.iter().flat_map(|outcome| &outcome.rounds) {
        sum[0] += round.measured.tally.late;
        sum[1] += round.measured.tally.requests();
    }
    let late = sum[0] as f64 / sum[1] as f64;
    if late > MOST_LATE {
        let late = late * 100.0;
        return vec![format!("{late:.1} % of the requests started more than 1 ms late")];
    }
    Vec::new()
}

fn remarks(all: &[Figures], own_share: Option<f64>) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(share) = own_share.filter(|share| *share > MOST_OWN) {
        remarks.push(format!(
            "the harness used {:.0} % of the processors that it may use: it may be what limits; give it \
             more --threads",
            share * 100.0
        ));
    }
    for figures in all {
        let found = figures.hit_rate.zip(figures.joined_rate).map(|(hit, joined)| hit + joined);
        let Some((found, expected)) = found.zip(figures.expected_rate) else { continue };
        if (found - expected).abs() > 0.01 {
            remarks.push(format!(
                "{}: {found:.3} of the inputs needed no call of their own, where a cache without bound \
                 and without a past would have {expected:.3}",
                figures.name
            ));
        }
    }
    remarks
}

fn failures(all: &[Figures]) -> Vec<String> {
    let mut failures = Vec::new();
    for Figures { name, wrong, checked, answered, requests, .. } in all {
        if *wrong > 0 {
            failures.push(format!("{name}: {wrong} of {checked} answers are wrong"));
        }
        if *answered == 0 && *requests > 0 {
            failures.push(format!("{name}: no request was answered well"));
        }
    }
    failures
}

/// What went wrong, and how often.
pub(crate) fn troubles(tally: &Tally) -> String {
    let all = tally.troubles.iter().map(|(trouble, count)| format!("{count} × {trouble}"));
    all.collect::<Vec<_>>().join(", ")
}

/// A number with three digits that say something.
pub(crate) fn number(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::Running(error.to_string())),
    }
}

fn save(file: &Path, text: &str) -> Result<(), Failure> {
    let saved = fs::write(file, text);
    saved.map_err(|error| Failure::Running(format!("{}: {error}", file.display())))?;
    say(&format_args!("written: {}", file.display()));
    Ok(())
}
