//! The command line: one file for each command.

mod admin;
mod analyze;
mod carry;
mod check;
mod columns;
mod config;
mod connect;
mod demo;
mod env;
mod items;
mod lines;
mod logs;
mod man;
mod progress;
mod purge;
mod run;
mod serve;
mod settings;
mod simulate;
mod started;
mod stats;
mod variables;
mod warm;

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use tokio::runtime::{Builder, Runtime};

use settings::ServeArgs;

/// What `--version` says: the commit of a release with it.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LARDER_REVISION"), ")");

/// A caching and batching sidecar for applications that call LLM and embedding providers.
///
/// Without a command it serves. Every option can be given as a flag, as an environment variable
/// (LARDER_ and the flag in capitals) or in the configuration file, in this order of precedence.
#[derive(Debug, Parser)]
#[command(name = "larder", version = VERSION, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the sidecar. Works with no configuration file and no arguments
    Serve(ServeArgs),
    /// Run a command with a sidecar of its own: the base URLs of SDKs lead there
    ///
    /// The sidecar is on free ports of loopback, unless configured. It is ready before COMMAND starts,
    /// passes signals on, drains after it, and exits with its code: 126 if COMMAND cannot be run, 127
    /// if it is not there, 128 and the signal that ended it. Variables that lead to a provider already
    /// say where the sidecar's calls go, unless that is configured.
    Run(run::Args),
    /// Print the variables that lead SDKs to a running sidecar, or to the one that is configured
    Env(env::Args),
    /// Run the simulated provider alone
    Simulate(simulate::Args),
    /// Show what larder does: a simulated provider, a sidecar, a short workload, and a table
    Demo(demo::Args),
    /// Validate the configuration and print it as it was understood
    Check(check::Args),
    /// Say what of the requests in logs was asked for twice, and what a cache would have had of it
    ///
    /// A line is a request: its body as it was sent ({"model":…,"input":…}), a line of an access log
    /// or a batch file that has the body and its path or URL, or one of `LiteLLM`'s
    /// (`StandardLoggingPayload`). Two inputs are the same if the server, with this configuration,
    /// would keep them under one key, as if everybody shared what is kept. No text is printed. Up to
    /// 7,000,000 different inputs are told apart, in less than 500 MB; of what is beyond, the shares
    /// are lower bounds.
    Analyze(analyze::Args),
    /// Print what a running sidecar has answered, asked and saved
    Stats(stats::Args),
    /// Embed every line of files through a running sidecar, so that applications find it
    ///
    /// As bulk traffic: behind what applications ask for. What is cached is not asked for again, so
    /// that a run that was broken off can be repeated. A line that is refused is reported with its
    /// number, and the exit code is 1 in the end. What is kept is shared as ever: by default with who
    /// shows the same key (--key-env, --header).
    Warm(warm::Args),
    /// Make a running sidecar forget entries
    ///
    /// By provider and model alone that is at once, in all tiers and, within a second, in all replicas.
    /// With --match, --before or --key it removes entries one by one: from this sidecar's memory and
    /// directory, and from Redis those that were in one of the two; other replicas keep what they hold
    /// themselves.
    Purge(purge::Args),
    /// Write what is in a cache directory as lines of JSON
    Export(carry::ExportArgs),
    /// Bring what was exported into a cache directory
    Import(carry::ImportArgs),
    /// Print the commented default configuration, or the reference
    Config(config::Args),
    /// Print shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page larder(1), or write those of all commands
    Man(man::Args),
}

/// How a command ended, if not well.
#[derive(Debug)]
enum Failure {
    /// Wrong usage or configuration: exit code 2.
    Usage(String),
    /// Failed while running: exit code 1.
    Running(String),
    /// The command that was to be run could not be started: an exit code as shells give it.
    Command(String, u8),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Running(message) | Self::Command(message, _) => {
                f.write_str(message)
            }
        }
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(&args),
        Command::Run(args) => match run::run(&args) {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        Command::Env(args) => env::run(&args),
        Command::Simulate(args) => simulate::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Analyze(args) => analyze::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Warm(args) => warm::run(&args),
        Command::Purge(args) => purge::run(&args),
        Command::Export(args) => args.run(),
        Command::Import(args) => args.run(),
        Command::Config(args) => config::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "larder", &mut io::stdout());
            Ok(())
        }
        Command::Man(args) => man::run(&args, Cli::command()),
    };
    let (message, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => (message, 2),
        Err(Failure::Running(message)) => (message, 1),
        Err(Failure::Command(message, code)) => (message, code),
    };
    say(&message);
    ExitCode::from(code)
}

/// What a command waits in, on its own thread.
fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Running(error.to_string()))
}

/// Prints a line for people on standard error, at once, for who reads along.
fn say(line: &dyn Display) {
    // Whoever closed standard error does not want to be told.
    drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
}

/// Prints a command's result on standard output.
fn print(text: &dyn Display) -> Result<(), Failure> {
    print_on(text).map(|_| ())
}

/// The same; whether anybody reads on. `larder config | head` is no failure.
fn print_on(text: &dyn Display) -> Result<bool, Failure> {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Running(error.to_string())),
    }
}
