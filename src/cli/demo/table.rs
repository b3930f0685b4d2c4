//! The table of the steps.

use std::time::Duration;

use super::super::columns::aligned;

/// One step of the workload and its result.
#[derive(Debug)]
pub(super) struct Step {
    /// The requests.
    pub(super) what: &'static str,
    /// The cache outcome, from the headers of the responses.
    pub(super) cache: String,
    /// Calls that reached the provider.
    pub(super) calls: u64,
    /// Inputs that reached the provider.
    pub(super) inputs: u64,
    /// From the first request to the last response.
    pub(super) took: Duration,
}

/// The steps as text, columns aligned.
pub(super) fn render(steps: &[Step]) -> String {
    let head = ["step", "cache", "provider calls", "inputs sent", "time"].map(str::to_owned);
    let rows = steps.iter().map(|step| {
        vec![
            step.what.to_owned(),
            step.cache.clone(),
            step.calls.to_string(),
            step.inputs.to_string(),
            format!("{:.1} ms", step.took.as_secs_f64() * 1e3),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head.to_vec()).chain(rows).collect();
    aligned(&rows, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let step = |what, calls| Step {
            what,
            cache: "hit".to_owned(),
            calls,
            inputs: 0,
            took: Duration::from_millis(1),
        };
        let text = render(&[step("a", 1), step("longer", 100)]);
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lengths.len(), 3);
        assert!(lengths.iter().all(|length| *length == lengths[0]), "{text}");
    }
}
