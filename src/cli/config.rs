//! `larder config`: the default file and the reference, from the types themselves.

use super::{Failure, print};
use crate::config::reference;

/// What to print.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Args {
    /// The commented default configuration
    #[arg(long)]
    defaults: bool,
    /// Every key with its type, default and meaning, as Markdown
    #[arg(long)]
    reference: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let text = if args.defaults { reference::defaults() } else { reference::reference() };
    print(&text.trim_end())
}
