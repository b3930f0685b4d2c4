//! The series of a Prometheus text.

/// The series that a sidecar exposes.
#[derive(Debug, Default)]
pub(super) struct Series(Vec<(String, String, f64)>);

impl Series {
    /// The series of a text; lines that are not series are left out.
    pub(super) fn read(text: &str) -> Self {
        let line = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            Some((name.to_owned(), labels.to_owned(), value.parse().ok()?))
        };
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect())
    }

    /// The sum of all series of a name that have these labels; none if there is no such series.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |text: &str| {
            labels.iter().all(|(label, value)| text.contains(&format!("{label}=\"{value}\"")))
        };
        let fits = self.0.iter().filter(|(known, text, _)| known == name && has(text));
        fits.map(|(.., value)| *value).reduce(|sum, value| sum + value)
    }

    /// The same as a count; 0 if there is no such series.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub(super) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.sum(name, labels).unwrap_or(0.0) as u64
    }

    /// The values of a label in the series of a name that are not 0.
    pub(super) fn labels(&self, name: &str, label: &str) -> Vec<&str> {
        let start = format!("{label}=\"");
        let series = self.0.iter().filter(|(known, _, value)| known == name && *value != 0.0);
        let value = series.filter_map(|(_, text, _)| {
            let at = text.find(&start)? + start.len();
            text.get(at..)?.split('"').next()
        });
        let mut values: Vec<&str> = value.collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_their_labels() {
        let text = "# HELP a b\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4\nb 5\na{x=\"2\"} 0\n";
        let series = Series::read(text);
        assert_eq!(series.count("a", &[("x", "1")]), 7);
        assert_eq!(series.count("a", &[("x", "1"), ("y", "3")]), 4);
        assert_eq!((series.count("b", &[]), series.sum("c", &[])), (5, None));
        assert_eq!(series.labels("a", "x"), ["1"]);
    }
}
