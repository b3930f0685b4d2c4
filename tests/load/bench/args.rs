//! The command line.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use http::Uri;
use larder::simulate::duration;

use super::Failure;
use super::catalogue::Catalogue;
use super::limits::Limits;
use super::plan::{self, Plan};
use super::question::Encoding;
use super::target::{Target, url_of};
use super::truth::Verify;
use super::workload::Kind;

/// Measures servers that speak `OpenAI`'s shapes: the same work against each in turn.
///
/// The first target is what the others are compared with. Exit code 1: it could not be measured, an answer was
/// wrong, or a limit does not hold; 2: wrong usage.
#[derive(Debug, Parser)]
#[command(name = "larder-bench", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a workload against each target in turn, in rounds
    Compare {
        /// What is asked
        #[arg(long, value_name = "NAME")]
        workload: Kind,
        /// Texts that are asked for more than once
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = count(1..5_000_001))]
        texts: usize,
        #[command(flatten)]
        common: Common,
    },
    /// The workload zipf over the lines of a file, the first of them the most frequent
    Zipf {
        /// Texts, one a line
        #[arg(long, value_name = "FILE")]
        catalogue: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

/// What both commands take.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// A server: its base URL as an SDK takes it, and its process if it is on this machine; the first is
    /// what the others are compared with
    #[arg(
        long = "target",
        value_name = "NAME=URL[,pid=N]",
        required = true,
        value_parser = Target::parse
    )]
    pub(crate) targets: Vec<Target>,
    /// Connections to a target, each with one request at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = count(1..100_001))]
    pub(crate) connections: usize,
    /// Requests a second, at times that do not wait for answers (Poisson); without it each connection asks
    /// again as soon as it is answered
    #[arg(long, value_name = "R", value_parser = positive)]
    pub(crate) rate: Option<f64>,
    /// How long each target is measured, all rounds together
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) duration: Duration,
    /// How many requests each target gets, all rounds together, instead of a time; rounded up so that each
    /// round has the same number
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = count(1..1 << 40))]
    pub(crate) requests: Option<usize>,
    /// Rounds; in every second one the targets have their turns in the other order
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = count(1..10_001))]
    pub(crate) rounds: usize,
    /// How much more often the frequent texts of the workload zipf are asked for; 0 is evenly
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = not_negative)]
    pub(crate) skew: f64,
    /// Texts in a request
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = count(1..2049))]
    pub(crate) inputs: usize,
    /// Length of the vectors to ask for, where not the model's own
    #[arg(long, value_name = "D", value_parser = count(1..100_001))]
    pub(crate) dimensions: Option<usize>,
    /// How vectors are asked for
    #[arg(long, value_name = "FORM", default_value = "base64")]
    pub(crate) encoding: Encoding,
    /// The model [default: text-embedding-3-small; for streams gpt-4.1-mini]
    #[arg(long, value_name = "M")]
    pub(crate) model: Option<String>,
    /// Start of everything random: the same seed, the same texts. Without it each run has its own, so that no
    /// cache knows its texts
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// The environment variable that has the providers' key
    #[arg(long, value_name = "VAR", default_value = "OPENAI_API_KEY")]
    pub(crate) api_key_env: String,
    /// Where the simulated provider behind the targets tells its counts, as in
    /// <http://127.0.0.1:9000/__stats>
    #[arg(long, value_name = "URL", value_parser = url_of)]
    pub(crate) upstream_stats: Option<Uri>,
    /// What answers are held against [default: oracle if all targets answer as the simulated provider does,
    /// or else first]
    #[arg(long, value_name = "WHAT")]
    pub(crate) verify: Option<Verify>,
    /// With `--verify first`: how far two calls' vectors for a text may be apart, as 1 less their cosine
    #[arg(long, value_name = "DISTANCE", default_value_t = 0.001, value_parser = not_negative)]
    pub(crate) tolerance: f64,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) timeout: Duration,
    /// Threads that ask [default: half the cores]
    #[arg(long, value_name = "N", value_parser = count(1..1025))]
    pub(crate) threads: Option<usize>,
    /// Write what was measured as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with plots that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

impl Cli {
    /// What is to be done.
    pub(crate) fn plan(self) -> Result<Plan, Failure> {
        match self.command {
            Command::Compare { workload, texts, common } => {
                let seed = common.seed.unwrap_or_else(plan::any_seed);
                Plan::new(common, (workload, seed), Catalogue::made_up(seed, texts))
            }
            Command::Zipf { catalogue, common } => {
                let seed = common.seed.unwrap_or_else(plan::any_seed);
                Plan::new(common, (Kind::Zipf, seed), Catalogue::read(&catalogue)?)
            }
        }
    }
}

fn count(range: Range<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

/// Reads a time above 0.
fn time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("it has to be more than 0".to_owned()) } else { Ok(time) }
}

/// Reads a number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    let number = not_negative(text)?;
    if number == 0.0 { Err("it has to be more than 0".to_owned()) } else { Ok(number) }
}

/// Reads a number that is not below 0.
fn not_negative(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if number.is_finite() && number >= 0.0 {
        return Ok(number);
    }
    Err(format!("{text:?} is not a number of 0 or more"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for text in ["-1", "NaN", "inf", "many", ""] {
            assert!(not_negative(text).is_err() && positive(text).is_err(), "{text}");
        }
        assert_eq!((not_negative("0"), positive("1.5")), (Ok(0.0), Ok(1.5)));
        assert!(positive("0").is_err() && time("0").is_err() && time("1ms").is_ok());
    }
}
