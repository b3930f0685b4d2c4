//! `larder export` and `larder import`: the entries of a cache directory as lines of JSON.

mod export;
mod import;
mod line;

use indicatif::{ProgressBar, ProgressStyle};

pub(super) use export::ExportArgs;
pub(super) use import::ImportArgs;

/// A bar on standard error, where somebody sees it.
fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {per_sec} {eta}");
    let style = style.expect("the template is valid; every test of these commands draws it");
    ProgressBar::new(length).with_style(style)
}
