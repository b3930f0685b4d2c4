//! The command line: one file for each command.

mod admin;
mod analyze;
mod carry;
mod check;
mod columns;
mod config;
mod connect;
mod demo;
mod doctor;
mod env;
mod failures;
mod help;
mod items;
mod lines;
mod logs;
mod man;
mod output;
mod progress;
mod purge;
mod run;
mod serve;
mod settings;
mod simulate;
mod started;
mod stats;
mod tail;
mod variables;
mod version;
mod warm;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use tokio::runtime::{Builder, Runtime};

use output::{Failure, complain, print, print_on, say, warn};
use settings::ServeArgs;

/// The version with the commit of a release.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LARDER_REVISION"), ")");

/// A caching and batching sidecar for applications that call LLM and embedding providers
///
/// Without a command, larder runs the sidecar, as `larder serve` does. Every setting can be given as
/// a flag, an environment variable or a key of the configuration file, in this order of precedence.
#[derive(Debug, Parser)]
#[command(
    name = "larder",
    version = VERSION,
    args_conflicts_with_subcommands = true,
    override_usage = "larder [OPTIONS]\n       larder <COMMAND>",
    after_help = "Examples:\n  \
        larder demo                     see it work, without a key or a network\n  \
        larder run -- python app.py     run one program with a sidecar of its own\n  \
        larder serve                    run the sidecar for programs of this machine"
)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the sidecar
    ///
    /// It works without a configuration file and without arguments: it listens on 127.0.0.1:5273 and
    /// forwards to the provider `openai`. Each option has an environment variable and a key in the
    /// configuration file.
    #[command(after_help = "Examples:\n  \
        larder serve --upstream http://127.0.0.1:8000/v1 --cache-dir /var/cache/larder\n  \
        larder serve --config larder.toml")]
    Serve(ServeArgs),
    /// Run a command with a sidecar of its own
    ///
    /// The sidecar listens on free loopback ports. The base URL variables of all known SDKs lead COMMAND
    /// to it. It forwards signals, drains after COMMAND has ended, prints one line with what was saved or
    /// what failed, and exits with COMMAND's code: 126 if COMMAND cannot be run, 127 if it does not exist,
    /// 128 plus the signal that ended it. A base URL that the environment has already is the sidecar's
    /// upstream.
    #[command(override_usage = "larder run [OPTIONS] -- <COMMAND> [ARG]...")]
    #[command(after_help = "Examples:\n  \
        larder run -- python app.py\n  \
        larder run --cache-dir .larder -- pytest -q")]
    Run(run::Args),
    /// Print the variables that point SDKs at a running sidecar
    ///
    /// If no sidecar answers, the addresses are those of the configuration, and a warning on standard
    /// error says so.
    #[command(after_help = "Examples:\n  \
        eval \"$(larder env)\"\n  \
        larder env --shell dotenv > .env")]
    Env(env::Args),
    /// Run the simulated provider alone
    ///
    /// It speaks the wire shapes of every dialect. A vector depends only on model, dimensions and input,
    /// so that a client can compute the right one. `GET /__stats` counts, `POST /__faults` changes the
    /// faults while it runs.
    #[command(after_help = "Examples:\n  \
        larder simulate --latency 50ms\n  \
        larder simulate --rpm 60 --error-rate 0.05")]
    Simulate(simulate::Args),
    /// Show what larder does: a simulated provider, a sidecar, a short workload and a table
    ///
    /// It needs no key, no network and no configuration. Provider and sidecar keep running until Ctrl-C.
    #[command(after_help = "Examples:\n  \
        larder demo\n  \
        larder demo --once")]
    Demo(demo::Args),
    /// Validate the configuration
    Check(check::Args),
    /// Estimate from request logs what a cache would have saved
    ///
    /// Each line is one request: its body ({"model":…,"input":…}), a line of an access log or of a batch
    /// file that has the body and its path or URL, or a line that `LiteLLM` logs
    /// (`StandardLoggingPayload`). Two inputs are equal if this configuration would cache them under one
    /// key, with all clients sharing the cache. No text is printed. Beyond 7,000,000 distinct inputs
    /// (500 MB of memory) the shares are lower bounds.
    #[command(after_help = "Examples:\n  \
        larder analyze requests.jsonl\n  \
        larder analyze --memory 2GiB --json logs/*.jsonl.zst")]
    Analyze(analyze::Args),
    /// Print what a running sidecar has served, called and saved
    #[command(after_help = "Examples:\n  \
        larder stats --watch\n  \
        larder stats --json | jq .totals")]
    Stats(stats::Args),
    /// Print one line for each request of a running sidecar, as it happens
    ///
    /// A line has time, operation, model, status, cache outcome, milliseconds to the head of the response
    /// and provider. It has no content. Ctrl-C ends it.
    #[command(after_help = "Examples:\n  \
        larder tail\n  \
        larder tail --json | jq 'select(.cache == \"miss\")'")]
    Tail(tail::Args),
    /// Ask a running sidecar what is wrong, and say what to do
    ///
    /// The most important problem comes first. The exit code is 0 if nothing is wrong, otherwise 1.
    #[command(after_help = "Examples:\n  \
        larder doctor\n  \
        larder doctor --json")]
    Doctor(doctor::Args),
    /// Embed the lines of files through a running sidecar, before applications need them
    ///
    /// The requests are bulk traffic: those of applications go first. Cached inputs are not requested
    /// again, so that an interrupted run can be repeated. A refused line is reported with its number, and
    /// the exit code is then 1. Entries are shared as the configuration says: by default only with clients
    /// that use the same key (--key-env, --header).
    #[command(after_help = "Examples:\n  \
        larder warm --model text-embedding-3-small --key-env OPENAI_API_KEY texts.txt\n  \
        larder warm --model embed-v4.0 --provider cohere --key-env CO_API_KEY docs.jsonl")]
    Warm(warm::Args),
    /// Remove entries from a running sidecar
    ///
    /// By --provider and --model the purge takes effect at once in all tiers, and within a second in all
    /// replicas. With --match, --before or --key entries are removed one by one: from this sidecar's
    /// memory and directory, and from Redis those that were in one of the two. Other replicas keep their
    /// own copies of them.
    #[command(after_help = "Examples:\n  \
        larder purge --model text-embedding-3-small --dry-run\n  \
        larder purge --before 7d\n  \
        larder purge --all")]
    Purge(purge::Args),
    /// Write the entries of a cache directory as JSON lines
    ///
    /// A sidecar may be using the directory meanwhile.
    #[command(after_help = "Example:\n  \
        larder export --cache-dir /var/cache/larder | zstd > entries.jsonl.zst")]
    Export(carry::ExportArgs),
    /// Read exported entries into a cache directory
    ///
    /// No sidecar may be using the directory meanwhile. Entries written before an error stay.
    #[command(after_help = "Example:\n  \
        zstdcat entries.jsonl.zst | larder import --cache-dir /var/cache/larder -")]
    Import(carry::ImportArgs),
    /// Print the commented default configuration, or the reference
    Config(config::Args),
    /// Print shell completions
    #[command(after_help = "Example:\n  \
        larder completions bash > ~/.local/share/bash-completion/completions/larder")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page larder(1), or write the pages of all commands
    #[command(after_help = "Example:\n  \
        larder man --dir ~/.local/share/man/man1")]
    Man(man::Args),
    /// Print the version, the commit and the target
    Version,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let matches = help::compact(command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Run(args) => run::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        other => other.run().map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|failure| {
        complain(&failure);
        ExitCode::from(failure.code())
    })
}

/// The command line with plain help texts.
fn command() -> clap::Command {
    help::plain(Cli::command())
}

impl Command {
    /// Runs a command that has no exit code of its own.
    fn run(self) -> Result<(), Failure> {
        match self {
            Self::Serve(args) => serve::run(&args),
            Self::Run(args) => run::run(&args).map(drop),
            Self::Env(args) => env::run(&args),
            Self::Simulate(args) => simulate::run(args),
            Self::Demo(args) => demo::run(&args),
            Self::Check(args) => check::run(&args),
            Self::Analyze(args) => analyze::run(&args),
            Self::Stats(args) => stats::run(&args),
            Self::Tail(args) => tail::run(&args),
            Self::Doctor(args) => doctor::run(&args).map(drop),
            Self::Warm(args) => warm::run(&args),
            Self::Purge(args) => purge::run(&args),
            Self::Export(args) => args.run(),
            Self::Import(args) => args.run(),
            Self::Config(args) => config::run(&args),
            Self::Completions { shell } => completions(shell),
            Self::Man(args) => man::run(&args, command()),
            Self::Version => version::run(),
        }
    }
}

fn completions(shell: Shell) -> Result<(), Failure> {
    // The generator panics on an error of its writer, such as a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "larder", &mut script);
    print(&String::from_utf8_lossy(&script).trim_end())
}

/// A runtime on the command's own thread.
fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Running(error.to_string()))
}
