//! `larder import`: into a cache directory, from what was exported from another.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::super::progress::bar;
use super::super::settings::ServeArgs;
use super::super::{Failure, say};
use super::line::{Header, Line};
use crate::server;
use crate::tier::Ground;
use crate::tier::disk::shelf::Shelf;

/// What to import.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct ImportArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// What `larder export` wrote; `-` is standard input
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
        for (number, line) in (1_u64..).zip(input.lines()) {
            let line = line.map_err(|error| self.wrong(&error))?;
            bar.inc(line.len() as u64 + 1);
            match take(&to, &ground, number, &line) {
                Ok(Taken::Entry) => imported += 1,
                Ok(Taken::Ended) => ended += 1,
                Ok(Taken::Nothing) => {}
                Err(error) => return Err(self.wrong(&format_args!("line {number}: {error}"))),
            }
        }
        to.close().map_err(|error| Failure::Running(format!("disk.dir: {error}")))?;
        bar.finish_and_clear();
        say(&format_args!("{imported} entries imported; {ended} had ended"));
        Ok(())
    }

    fn wrong(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Running(format!("{}: {error}", self.input.display()))
    }
}

enum Taken {
    Entry,
    Ended,
    Nothing,
}

fn take(shelf: &Shelf, ground: &Ground, number: u64, line: &str) -> Result<Taken, String> {
    if number == 1 {
        let header: Result<Header, _> = serde_json::from_str(line);
        let header = header.map_err(|_| "this is no export of larder's".to_owned())?;
        return header.check(ground).map(|()| Taken::Nothing);
    }
    if line.is_empty() {
        return Ok(Taken::Nothing);
    }
    let entry: Line<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let Some((key, stored)) = entry.read(&ground.purges, ground.clock.now())? else {
        return Ok(Taken::Ended);
    };
    shelf.put(&key, &stored).map_err(|error| error.to_string())?;
    Ok(Taken::Entry)
}
