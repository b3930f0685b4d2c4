//! `larder config`: the default file, the reference and the schema, generated from the types.

use super::{Failure, print};
use crate::config::{reference, schema};

/// The text to print.
#[derive(Debug, Clone, clap::Args)]
#[command(arg_required_else_help = true)]
#[group(required = true, multiple = false)]
pub(super) struct Args {
    /// The default configuration, with a comment on every key
    #[arg(long)]
    defaults: bool,
    /// Every key with its type, default, variable and meaning, as Markdown
    #[arg(long)]
    reference: bool,
    /// A JSON schema of the configuration file, for editors
    #[arg(long)]
    schema: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let text = if args.defaults {
        reference::defaults()
    } else if args.schema {
        format!("{:#}", schema::schema())
    } else {
        reference::reference()
    };
    print(&text.trim_end())
}
