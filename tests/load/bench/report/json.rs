//! The report for machines. The form has a version; fields may be added within one.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Report;
use crate::plan::Plan;

const VERSION: u32 = 1;

/// The report as JSON.
pub(crate) fn of(plan: &Plan, report: &Report) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let whole = json!({
        "version": VERSION,
        "larder": env!("CARGO_PKG_VERSION"),
        "command": env::args().collect::<Vec<_>>(),
        "unix_seconds": since.as_secs(),
        "seed": plan.size.seed,
        "machine": report.machine,
        "workload": workload(plan),
        "verify": report.verify.name(),
        "targets": report.figures,
        "harness": { "cpu_share": report.own_share, "threads": plan.threads },
        "verdict": report.verdict,
        "valid": report.invalid.is_empty(),
        "invalid": report.invalid,
        "remarks": report.remarks,
        "failures": report.failures,
    });
    format!("{whole:#}\n")
}

fn workload(plan: &Plan) -> Value {
    let form = &plan.work.form;
    json!({
        "name": plan.work.kind.name(),
        "model": form.model,
        "dimensions": form.dimensions,
        "encoding": form.encoding.name(),
        "texts": plan.work.catalogue.len(),
        "skew": plan.size.skew,
        "inputs": plan.size.inputs,
        "connections": plan.connections,
        "rate": plan.rate,
        "rounds": plan.rounds,
        "round_seconds": plan.time.map(|time| time.as_secs_f64()),
        "round_requests": plan.time.is_none().then_some(plan.requests),
    })
}
