//! The report for people.

use super::super::columns::aligned;
use super::Report;
use super::tally::{Count, Kind};

/// The assumptions of the estimate.
const NOTES: &str = "\
A column with a size estimates the share that needs no provider call with that much memory.
`unbounded` has enough memory for everything. The estimate is for an LRU cache; larder uses S3-FIFO.
Vectors have the requested dimensions, else those of the model, else 1,536. All clients share the
cache (cache.scope), and no entry expires.";

/// The report as text.
pub(super) fn of(report: &Report) -> String {
    let mut parts = vec![lines(report)];
    parts.extend(table(report, Kind::Embeddings));
    parts.extend(table(report, Kind::Words));
    if parts.len() == 1 {
        parts.push("There is no embedding or chat request; a line is the JSON body of a request (`larder analyze --help`).".to_owned());
        return parts.join("\n\n");
    }
    if report.tally.untold > 0 {
        parts.push(format!(
            "The logs have more distinct inputs than larder analyze tells apart. {} inputs count as new \
             for that reason,\nand every share is a lower bound.",
            thousands(report.tally.untold)
        ));
    }
    parts.push(NOTES.to_owned());
    parts.join("\n\n")
}

/// What the lines were; what there is none of is not named.
fn lines(report: &Report) -> String {
    let counted = &report.counted;
    let places: Vec<String> =
        counted.places.iter().map(|(file, line)| format!("{file}:{line}")).collect();
    let more = if counted.unknown > places.len() as u64 { ", …" } else { "" };
    let unknown = format!("of an unknown format ({}{more})", places.join(", "));
    let kinds = [
        (counted.passed_on, "relayed without the cache"),
        (counted.failed, "failed"),
        (counted.withheld, "with an incomplete body"),
        (counted.unknown, unknown.as_str()),
    ];
    let looked_at = "embedding and chat requests";
    let lines = format!("{} lines: {}", thousands(counted.lines), thousands(counted.requests));
    let others = kinds.into_iter().filter(|(count, _)| *count > 0);
    let others = others.map(|(count, what)| format!("; {} {what}", thousands(count)));
    let others: String = others.collect();
    let cached = match counted.cached {
        0 => String::new(),
        count => format!("\n{} of them were answered by another cache", thousands(count)),
    };
    format!("{lines} {looked_at}{others}{cached}")
}

/// The models of one kind, and all of them together.
fn table(report: &Report, kind: Kind) -> Option<String> {
    let total = report.tally.total(kind);
    if total.requests == 0 {
        return None;
    }
    let (what, inputs) = match kind {
        Kind::Embeddings => ("embeddings", "inputs"),
        Kind::Words => ("chat completions", "cacheable"),
    };
    let head = [what, "model", "requests", inputs, "distinct", "repeated in one", "repeated"];
    let sizes = report.sizes.iter().map(ToString::to_string);
    let ends = ["unbounded", "tokens repeated", "cost repeated"];
    let head = head.map(str::to_owned).into_iter().chain(sizes);
    let mut rows: Vec<Vec<String>> = vec![head.chain(ends.map(str::to_owned)).collect()];
    let counts = report.tally.counts.iter().filter(|(subject, _)| subject.kind == kind);
    rows.extend(counts.map(|(subject, count)| row([&subject.provider, &subject.model], count)));
    if rows.len() > 2 {
        rows.push(row(["all", ""], &total));
    }
    without_empty(&mut rows);
    Some(aligned(&rows, 2))
}

fn row(names: [&str; 2], count: &Count) -> Vec<String> {
    let numbers = [count.requests, count.inputs, count.distinct()].map(thousands);
    let shares = [count.within, count.across].map(|some| percent(count.share(some)));
    let saved = count.saved().map(percent);
    let all = percent(count.share(count.within + count.across));
    let tokens = count
        .tokens
        .map(|tokens| format!("{} of {}", thousands(tokens.duplicate), thousands(tokens.all)));
    let cost = count.cost.map(|cost| format!("${:.2} of ${:.2}", cost.duplicate, cost.all));
    let known = [tokens, cost].map(Option::unwrap_or_default);
    let names = names.map(str::to_owned).into_iter();
    names.chain(numbers).chain(shares).chain(saved).chain([all]).chain(known).collect()
}

/// Takes out the columns that say nothing below their heads.
fn without_empty(rows: &mut [Vec<String>]) {
    let count = rows.first().map_or(0, Vec::len);
    let said = |column: usize| {
        rows.iter().skip(1).any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()))
    };
    let said: Vec<bool> = (0..count).map(said).collect();
    for row in rows {
        let mut said = said.iter();
        row.retain(|_| *said.next().unwrap_or(&true));
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A number with commas between its thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(percent(0.123_456), "12.3%");
    }

    #[test]
    fn a_column_that_says_nothing_is_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let mut rows = [row(["a", "b", "c"]), row(["1", "", "3"]), row(["", "", "4"])];
        without_empty(&mut rows);
        assert_eq!(rows.map(|row| row.join(" ")), ["a c", "1 3", " 4"]);
    }
}
