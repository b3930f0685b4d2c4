//! `larder export`: what is in a cache directory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::super::progress::bar;
use super::super::settings::ServeArgs;
use super::super::{Failure, say};
use super::line::{Header, Line};
use crate::config::Config;
use crate::server;
use crate::tier::disk::directory::Directory;
use crate::tier::disk::shelf::Shelf;

/// The options of the command.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Output file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl ExportArgs {
    /// Writes every entry that is good. A sidecar may be using the directory meanwhile.
    pub(in crate::cli) fn run(&self) -> Result<(), Failure> {
        let config = self.serve.resolve()?;
        check(&config)?;
        let (directory, ground) = server::cache_directory(&config)?;
        let from = Shelf::to_read(directory, ground.clone()).map_err(running)?;
        let output: Box<dyn Write> = match &self.output {
            None => Box::new(io::stdout().lock()),
            Some(path) => Box::new(
                File::create(path)
                    .map_err(|error| Failure::Running(format!("{}: {error}", path.display())))?,
            ),
        };
        let mut output = BufWriter::new(output);
        let (bar, now) = (bar(from.entries()), ground.clock.now());
        let (mut exported, mut left_out) = (0_u64, 0_u64);
        let header = write(&mut output, &Header::of(&ground));
        let entries = header.and_then(|()| {
            from.each(|key, stored| {
                bar.inc(1);
                let Some(stored) = stored else {
                    left_out += 1;
                    return Ok(());
                };
                exported += 1;
                write(&mut output, &Line::of(&key, &stored, now))
            })
        });
        let written = entries.and_then(|()| output.flush());
        bar.finish_and_clear();
        match written {
            // The reader of a pipe has all that it wants, as `head` has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(running)?,
        }
        let skipped = format_args!("{left_out} skipped (expired, purged or damaged)");
        say(&format_args!("{exported} entries exported, {skipped}"));
        Ok(())
    }
}

/// An error if the directory has no cache: a misspelt one is not made.
fn check(config: &Config) -> Result<(), Failure> {
    let path = Path::new(&config.disk.dir);
    if config.disk.dir.is_empty() || Directory::exists(path) {
        return Ok(());
    }
    let (place, directory) = (config.sources.place("disk.dir"), path.display());
    let what = if path.exists() { "has no cache of larder" } else { "does not exist" };
    Err(Failure::Usage(format!("{place}: disk.dir: {directory} {what}")))
}

fn write(output: &mut impl Write, line: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` wants")]
fn running(error: io::Error) -> Failure {
    Failure::Running(error.to_string())
}
