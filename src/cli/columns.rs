//! Text for a terminal: aligned rows, percentages, and names without control characters.

/// Text without control characters: a model's name is the client's, and a terminal obeys some of them.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A number with its noun, in the plural unless it is 1.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A share in percent, to a number of digits after the point; a dash where the whole is 0.
#[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
pub(super) fn percent(part: u64, whole: u64, digits: usize) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.digits$} %", part as f64 * 100.0 / whole as f64)
}

/// The rows as lines with aligned columns: the first `left` to the left, the others to the right.
pub(super) fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < left { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["a", "ü", "1"]), row(["longer", "b", "100"])];
        assert_eq!(aligned(&rows, 2), "a       ü    1\nlonger  b  100");
    }
}
