//! `larder version`: the version, the commit of a release, and the target.

use super::{Failure, print};

/// Prints one line for each.
pub(super) fn run() -> Result<(), Failure> {
    print(&format_args!(
        "larder {}\ncommit {}\ntarget {}",
        env!("CARGO_PKG_VERSION"),
        env!("LARDER_REVISION"),
        env!("LARDER_TARGET"),
    ))
}
