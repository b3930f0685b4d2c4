//! `larder import`: into a cache directory, from what was exported from another.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::super::lines::{Line, Lines};
use super::super::progress::bar;
use super::super::settings::ServeArgs;
use super::super::{Failure, say};
use super::line::{Header, Line as Entry};
use crate::server;
use crate::tier::Ground;
use crate::tier::disk::shelf::Shelf;

/// The options of the command.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct ImportArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Output of `larder export`; `-` is standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
}

impl ImportArgs {
    /// Writes every entry that has not ended. No sidecar may be using the directory. What was written
    /// before an error stays.
    pub(in crate::cli) fn run(&self) -> Result<(), Failure> {
        let config = self.serve.resolve()?;
        let (directory, ground) = server::cache_directory(&config)?;
        let (input, length): (Box<dyn BufRead>, u64) = if self.input == Path::new("-") {
            (Box::new(io::stdin().lock()), 0)
        } else {
            let file = File::open(&self.input).map_err(|error| self.wrong(&error))?;
            let length = file.metadata().map_or(0, |found| found.len());
            (Box::new(BufReader::new(file)), length)
        };
        let to = Shelf::to_write(directory, config.disk.size.0, ground.clone());
        let to = to.map_err(|error| Failure::Running(format!("disk.dir: {error}")))?;
        let bar = bar(length);
        let (mut imported, mut ended) = (0_u64, 0_u64);
        let (mut lines, mut number) = (Lines::of(input), 0_u64);
        while let Some(line) = lines.next().map_err(|error| self.wrong(&error))? {
            number += 1;
            let wrong = |error: &str| self.wrong(&format_args!("line {number}: {error}"));
            let Line::Whole(line) = line else { return Err(wrong("too long")) };
            bar.inc(line.len() as u64 + 1);
            let taken = if number == 1 {
                header(&ground, &config.disk.dir, line)
            } else {
                take(&to, &ground, line)
            };
            match taken.map_err(|error| wrong(&error))? {
                Taken::Entry => imported += 1,
                Taken::Ended => ended += 1,
                Taken::Nothing => {}
            }
        }
        if number == 0 {
            return Err(self.wrong(&NO_EXPORT));
        }
        to.close().map_err(|error| Failure::Running(format!("disk.dir: {error}")))?;
        bar.finish_and_clear();
        say(&format_args!("{imported} entries imported, {ended} skipped (expired)"));
        Ok(())
    }

    fn wrong(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Running(format!("{}: {error}", self.input.display()))
    }
}

const NO_EXPORT: &str = "not an export of larder";

enum Taken {
    Entry,
    Ended,
    Nothing,
}

fn header(ground: &Ground, directory: &str, line: &[u8]) -> Result<Taken, String> {
    let header: Result<Header, _> = serde_json::from_slice(line);
    let header = header.map_err(|_| NO_EXPORT.to_owned())?;
    header.check(ground, Path::new(directory)).map(|()| Taken::Nothing)
}

fn take(shelf: &Shelf, ground: &Ground, line: &[u8]) -> Result<Taken, String> {
    if line.is_empty() {
        return Ok(Taken::Nothing);
    }
    let entry: Entry<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let Some((key, stored)) = entry.read(&ground.purges, ground.clock.now())? else {
        return Ok(Taken::Ended);
    };
    shelf.put(&key, &stored).map_err(|error| error.to_string())?;
    Ok(Taken::Entry)
}
