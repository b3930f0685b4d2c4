//! `larder man`: the manual's pages, of what `--help` says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::{Man, generate_to};

use super::{Failure, print};

/// The options of the command.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Write larder.1 and a page for each command into this folder, instead of printing larder.1
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args, command: Command) -> Result<(), Failure> {
    match &args.dir {
        Some(folder) => write(command, folder).map_err(|error| {
            let message = format!("cannot write the pages to {}: {error}", folder.display());
            Failure::Running(message)
        }),
        None => print(&page(command)?.trim_end()),
    }
}

fn write(command: Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    generate_to(command, folder)
}

fn page(command: Command) -> Result<String, Failure> {
    let mut page = Vec::new();
    let rendered = Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::Running(error.to_string()))?;
    String::from_utf8(page).map_err(|error| Failure::Running(error.to_string()))
}
