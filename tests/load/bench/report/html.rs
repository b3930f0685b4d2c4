//! The report as one page: opens without a network, in dark and in light.

use std::env;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Report;
use super::figures::{Figures, RoundFigures};
use super::plot::Chart;
use super::table;
use crate::plan::Plan;

const STYLE: &str = include_str!("page.css");

/// One figure of a round.
type OfRound = fn(&RoundFigures) -> Option<f64>;

/// The report as HTML.
pub(crate) fn of(plan: &Plan, report: &Report) -> String {
    let kind = plan.work.kind.name();
    let command = env::args().collect::<Vec<_>>().join(" ");
    let errors = report.figures.iter().filter_map(Figures::errors_line);
    let errors = errors.map(|line| format!("<p class=\"failure\">{}</p>", escape(&line)));
    let errors = errors.collect::<Vec<_>>().concat();
    let lists =
        [("failure", &report.failures), ("invalid", &report.invalid), ("note", &report.remarks)];
    let lines = lists.into_iter().flat_map(|(class, lines)| {
        lines.iter().map(move |line| format!("<p class=\"{class}\">{}</p>", escape(line)))
    });
    let own = report.own_share.map_or("n/a".to_owned(), |share| format!("{:.0} %", share * 100.0));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>larder-bench: {kind}</title>\
         <style>{STYLE}</style></head><body><h1>Workload {kind}</h1><p class=\"verdict\">{}</p>{errors}{}\
         {}{}<p class=\"small\">{}; larder-bench {}; seed {}; harness: {own} of its processors; {}</p>\
         <pre>{}</pre></body></html>\n",
        escape(&report.verdict),
        lines.collect::<String>(),
        grid(&table::rows(&report.figures)),
        charts(plan, &report.figures),
        date(),
        env!("CARGO_PKG_VERSION"),
        plan.size.seed,
        escape(&report.machine.line()),
        escape(&command),
    )
}

/// The time of the report, as RFC 3339 has it.
fn date() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
}

fn grid(rows: &[Vec<String>]) -> String {
    let row = |(place, row): (usize, &Vec<String>)| {
        let tag = if place == 0 { "th" } else { "td" };
        let cells = row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    format!(
        "<div class=\"wide\"><table>{}</table></div>",
        rows.iter().enumerate().map(row).collect::<String>()
    )
}

fn charts(plan: &Plan, all: &[Figures]) -> String {
    let shares = all.iter().map(|one| &one.curve).max_by_key(|curve| curve.len());
    let shares = shares.into_iter().flatten();
    let ticks: Vec<String> = shares.map(|(share, _)| format!("{} %", share * 100.0)).collect();
    let latency = |one: &Figures| one.curve.iter().map(|(_, time)| Some(time * 1e3)).collect();
    let mut charts =
        figure("Latency in ms, by share of the requests", all, (ticks, true), &latency);
    let rounds: Vec<String> = (1..=plan.rounds).map(|round| round.to_string()).collect();
    let by_round: [(&str, OfRound); 3] = [
        ("Requests a second, by round", |round| Some(round.rps)),
        ("Times better than the first target, by round", |round| round.ratio),
        ("Hit rate, by round", |round| round.hit_rate),
    ];
    for (title, of) in by_round {
        let values = |one: &Figures| one.rounds.iter().map(of).collect();
        charts += &figure(title, all, (rounds.clone(), false), &values);
    }
    let longest = all.iter().map(|one| &one.memory).max_by_key(|memory| memory.len());
    let seconds = longest.into_iter().flatten().map(|(seconds, _)| format!("{seconds:.0} s"));
    let memory =
        |one: &Figures| one.memory.iter().map(|(_, b)| Some(*b as f64 / 1_048_576.0)).collect();
    charts + &figure("Memory in MiB", all, (seconds.collect(), false), &memory)
}

/// A chart with its title and legend; nothing where there is nothing to draw.
fn figure(
    title: &str,
    all: &[Figures],
    (ticks, logarithmic): (Vec<String>, bool),
    values: &dyn Fn(&Figures) -> Vec<Option<f64>>,
) -> String {
    let lines: Vec<(&str, Vec<Option<f64>>)> =
        all.iter().map(|one| (one.name.as_str(), values(one))).collect();
    if lines.iter().all(|(_, values)| values.iter().all(Option::is_none)) {
        return String::new();
    }
    let legend = lines.iter().enumerate().map(|(number, (name, _))| {
        format!("<span class=\"c{}\">{}</span>", number % 6, escape(name))
    });
    let legend: String = legend.collect();
    let svg = Chart { ticks, lines, logarithmic }.svg();
    format!(
        "<figure><figcaption>{title}</figcaption>{svg}<p class=\"legend\">{legend}</p></figure>"
    )
}

/// Text that is nothing but text.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
