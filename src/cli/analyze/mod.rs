//! `larder analyze`: what of the requests in logs was asked for twice, and what a cache of a given size
//! would have saved. Says numbers, and names of models and files; never a text.

mod entry;
mod form;
mod json;
mod lookup;
mod recency;
mod table;
mod tally;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use super::lines::{Line, Lines};
use super::progress::bar;
use super::settings::ServeArgs;
use super::{Failure, print};
use crate::codec;
use crate::config::units::{ByteSize, Setting};
use form::Unfit;
use lookup::Lookup;
use tally::Tally;

/// Of how many lines that are not understood it is said where they are.
const MOST_PLACES: usize = 5;

/// The options of the command.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Memory of the estimated cache; can be given more than once
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = <ByteSize as Setting>::parse,
        default_values = ["16MiB", "64MiB", "256MiB", "1GiB"]
    )]
    memory: Vec<ByteSize>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Logs with one JSON object a line, plain or compressed (.gz, .zst); `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What the lines were.
#[derive(Debug, Default)]
struct Counted {
    lines: u64,
    /// Requests that were looked at.
    requests: u64,
    /// Requests that larder passes on as they are.
    passed_on: u64,
    /// Requests that nothing came of.
    failed: u64,
    /// Requests without all that was asked.
    withheld: u64,
    /// Requests that another cache had answered; looked at like all others.
    cached: u64,
    /// Lines of no form that is known.
    unknown: u64,
    /// Where the first of them are.
    places: Vec<(String, u64)>,
}

/// All that is to be said.
struct Report {
    counted: Counted,
    tally: Tally,
    sizes: Vec<ByteSize>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let lookup = Lookup::of(&args.serve.resolve()?)?;
    let mut sizes = args.memory.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let bytes: Vec<u64> = sizes.iter().map(|size| size.0).collect();
    let mut report = Report { counted: Counted::default(), tally: Tally::of(&bytes), sizes };
    let length = |path: &PathBuf| path.metadata().map_or(0, |found| found.len());
    let bar = bar(args.files.iter().map(length).sum());
    for path in &args.files {
        let read = report.read(&lookup, path, &bar);
        read.map_err(|error| Failure::Running(format!("{}: {error}", path.display())))?;
    }
    bar.finish_and_clear();
    if args.json { print(&json::of(&report)) } else { print(&table::of(&report)) }
}

impl Report {
    fn read(&mut self, lookup: &Lookup, path: &Path, bar: &ProgressBar) -> io::Result<()> {
        let reader: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            codec::reader(&path.to_string_lossy(), bar.wrap_read(File::open(path)?))
        };
        let mut lines = Lines::of(BufReader::with_capacity(1 << 16, reader));
        let mut number = 0;
        while let Some(line) = lines.next()? {
            number += 1;
            if let Err(unfit) = self.count(lookup, &line) {
                self.leave_out(unfit, path, number);
            }
        }
        self.counted.lines += number;
        Ok(())
    }

    fn count(&mut self, lookup: &Lookup, line: &Line<'_>) -> Result<(), Unfit> {
        let line = match line {
            Line::Whole(line) => line.trim_ascii(),
            Line::TooLong => return Err(Unfit::Unknown),
        };
        if line.is_empty() {
            return Ok(());
        }
        let request = form::read(line)?;
        let said = request.said;
        self.counted.cached += u64::from(said.cached);
        let Some(question) = lookup.question(request) else {
            self.counted.passed_on += 1;
            return Ok(());
        };
        self.counted.requests += 1;
        self.tally.add(question, said);
        Ok(())
    }

    fn leave_out(&mut self, unfit: Unfit, path: &Path, number: u64) {
        match unfit {
            Unfit::Failed => self.counted.failed += 1,
            Unfit::Withheld => self.counted.withheld += 1,
            Unfit::Unknown => {
                self.counted.unknown += 1;
                if self.counted.places.len() < MOST_PLACES {
                    self.counted.places.push((path.display().to_string(), number));
                }
            }
        }
    }
}
