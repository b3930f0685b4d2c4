//! How far a command has come, on standard error, where somebody sees it.

use std::fmt::Write;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// A bar of so many steps.
pub(super) fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {rate} {eta}");
    let style = style.expect("the template is valid; every test of these commands draws it");
    ProgressBar::new(length).with_style(style.with_key("rate", rate))
}

/// Writes steps per second without a fraction, which indicatif's own key has.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    // The bar shows nothing where its line cannot be written.
    write!(out, "{:.0}/s", state.per_sec()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_no_fraction() {
        let bar = bar(10);
        bar.inc(7);
        let mut line = String::new();
        bar.update(|state| rate(state, &mut line));
        assert!(line.ends_with("/s") && !line.contains('.'), "{line}");
    }
}
