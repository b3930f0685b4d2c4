//! How far a command has come, on standard error, where somebody sees it.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of so many steps.
pub(super) fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {per_sec} {eta}");
    let style = style.expect("the template is valid; every test of these commands draws it");
    ProgressBar::new(length).with_style(style)
}
