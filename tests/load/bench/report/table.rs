//! The report for people at a terminal.

use super::figures::{Figures, Quantiles};
use super::spread::Spread;
use super::{Report, number};

/// The table, and what is to be said below it.
pub(crate) fn of(report: &Report) -> String {
    let rows = rows(&report.figures);
    let mut parts = vec![aligned(&rows), report.verdict.clone()];
    for figures in &report.figures {
        parts.extend(figures.errors_line());
    }
    parts.extend(report.figures.iter().filter_map(by_round));
    parts.extend(report.invalid.iter().map(|why| format!("INVALID: {why}.")));
    parts.extend(report.remarks.iter().map(|remark| format!("Note: {remark}.")));
    let own = report.own_share.map_or("n/a".to_owned(), |share| format!("{:.0} %", share * 100.0));
    parts.push(format!("harness: {own} of its processors; {}", report.machine.line()));
    parts.join("\n")
}

/// The hit rates of the rounds, where a cache was filling up.
fn by_round(figures: &Figures) -> Option<String> {
    let rates = figures.rounds.iter().filter_map(|round| round.hit_rate);
    let rates: Vec<String> = rates.map(share).collect();
    figures
        .is_filling()
        .then(|| format!("{}: hit rate by round: {}", figures.name, rates.join(", ")))
}

/// A head, and a row for each target; columns that nobody has anything in are left out.
pub(crate) fn rows(all: &[Figures]) -> Vec<Vec<String>> {
    let wanted =
        |column: &&Column| column.always || all.iter().any(|one| (column.of)(one).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(wanted).collect();
    let head = columns.iter().map(|column| column.name.to_owned()).collect();
    let row = |figures: &Figures| {
        let cell = |column: &&Column| (column.of)(figures).unwrap_or_else(|| "n/a".to_owned());
        columns.iter().map(cell).collect()
    };
    [head].into_iter().chain(all.iter().map(row)).collect()
}

struct Column {
    name: &'static str,
    /// Even where nobody has anything in it.
    always: bool,
    of: fn(&Figures) -> Option<String>,
}

const fn always(name: &'static str, of: fn(&Figures) -> Option<String>) -> Column {
    Column { name, always: true, of }
}

const fn if_known(name: &'static str, of: fn(&Figures) -> Option<String>) -> Column {
    Column { name, always: false, of }
}

const COLUMNS: &[Column] = &[
    always("target", |all| Some(all.name.clone())),
    always("requests", |all| Some(all.requests.to_string())),
    always("rps", |all| Some(number(all.rps))),
    always("p50", |all| latency(all, |times| times.p50)),
    always("p90", |all| latency(all, |times| times.p90)),
    always("p99", |all| latency(all, |times| times.p99)),
    always("p99.9", |all| latency(all, |times| times.p999)),
    if_known("first event p50", |all| all.stream.as_ref().map(|s| time(s.first_event.p50))),
    if_known("p99", |all| all.stream.as_ref().map(|s| time(s.first_event.p99))),
    if_known("between p50", |all| all.stream.as_ref()?.gap.as_ref().map(|gap| time(gap.p50))),
    if_known("p99", |all| all.stream.as_ref()?.gap.as_ref().map(|gap| time(gap.p99))),
    if_known("events/s", |all| all.stream.as_ref().map(|s| number(s.events_per_second))),
    always("hit rate", |all| all.hit_rate.map(share)),
    if_known("joined", |all| all.joined_rate.map(share)),
    always("expected", |all| all.expected_rate.map(share)),
    always("calls", |all| all.upstream_calls.map(|calls| calls.to_string())),
    if_known("inputs", |all| all.upstream_inputs.map(|inputs| inputs.to_string())),
    always("errors", |all| Some((all.requests - all.answered).to_string())),
    always("wrong", |all| Some(format!("{} of {}", all.wrong, all.checked))),
    if_known("CPU s/1000", |all| all.cpu_seconds_per_1000.map(|cpu| format!("{cpu:.3}"))),
    if_known("peak MiB", |all| all.peak_memory_bytes.map(|bytes| mebibytes(bytes as f64))),
    if_known("MiB/h", |all| all.memory_bytes_per_hour.map(mebibytes)),
    if_known("ratio", |all| all.ratio.map(|ratio| number(ratio.median))),
    if_known("spread", |all| {
        let spread = |ratio: Spread| format!("{}–{}", number(ratio.least), number(ratio.most));
        // Rounds differ by the cache then, and not by the measurement.
        all.ratio.map(|ratio| if all.is_filling() { "cache filling".into() } else { spread(ratio) })
    }),
];

fn latency(figures: &Figures, of: fn(&Quantiles) -> f64) -> Option<String> {
    figures.latency.as_ref().map(of).map(time)
}

/// Seconds in a unit that fits.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        long if long >= 1.0 => format!("{} s", number(long)),
        short if short < 1e-3 => format!("{} µs", number(short * 1e6)),
        middle => format!("{} ms", number(middle * 1e3)),
    }
}

fn share(share: f64) -> String {
    format!("{share:.3}")
}

fn mebibytes(bytes: f64) -> String {
    number(bytes / f64::from(1 << 20))
}

/// The first column to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column).unwrap_or(0);
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_that_fit() {
        assert_eq!([2.5, 0.012_34, 0.000_25].map(time), ["2.50 s", "12.3 ms", "250 µs"]);
    }

    #[test]
    fn what_nobody_knows_has_no_column_and_what_one_lacks_is_said() {
        let one = Figures { name: "a".to_owned(), ..Figures::default() };
        let head = |all: &[Figures]| rows(all)[0].join(" ");
        assert!(!head(std::slice::from_ref(&one)).contains("CPU"));
        let other = Figures { cpu_seconds_per_1000: Some(0.5), ..one.clone() };
        let rows = rows(&[one, other]);
        assert!(rows[0].contains(&"CPU s/1000".to_owned()));
        assert!(rows[1].contains(&"n/a".to_owned()) && rows[2].contains(&"0.500".to_owned()));
        let text = aligned(&rows);
        let lengths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}
