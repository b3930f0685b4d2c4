//! The help of each command, in a form that fits a screen.
//!
//! `larder man` and the completions have every option of every command. `--help` shows the options of
//! `larder serve` once, in the help of `serve` and `run`; the other commands name them in one line.

use clap::builder::{Resettable, StyledStr};
use clap::{Arg, Args, Command};

use super::settings::ServeArgs;

/// Commands whose help has the options of `larder serve` in full.
const WITH_SERVE_OPTIONS: [&str; 2] = ["serve", "run"];

/// The line that replaces the options of `larder serve` in the help of other commands.
const ALSO: &str = "\
Options of `larder serve` also apply: see `larder serve --help`.";

/// The order of a command's help: summary, usage, paragraph, options, examples.
const TEMPLATE: &str = "\
{about-with-newline}
{usage-heading} {usage}

{before-help}{all-args}{after-help}";

/// The option that `larder run` does not have.
const UPGRADE: &str = "upgrade";

/// The heading of the options that `run` shares with `serve`.
const SERVE_HEADING: &str = "Options of the sidecar";

/// The sidecar of `larder run` has other defaults: free ports, and fewer log lines.
const DEFAULTS_OF_RUN: [(&str, &str); 3] = [
    ("[default: 127.0.0.1:5273]", "[default: a free loopback port]"),
    ("[default: 127.0.0.1:5274]", "[default: a free loopback port]"),
    ("[default: info]", "[default: warn]"),
];

/// The commands without Markdown in the help of their options.
pub(super) fn plain(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let help = arg.get_help().map(|help| help.to_string().replace('`', ""));
        if let Some(help) = help { arg.help(help) } else { arg }
    });
    command.mut_subcommands(plain)
}

/// The commands with compact help.
pub(super) fn compact(command: Command) -> Command {
    let serve = ServeArgs::augment_args(Command::new("serve"));
    let shared: Vec<String> = serve.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    let command = without(command, &shared);
    command.mut_subcommands(|command| one(command, &shared))
}

fn one(command: Command, shared: &[String]) -> Command {
    let has_them = shared.iter().all(|id| command.get_arguments().any(|arg| arg.get_id() == id));
    match command.get_name() {
        "run" => shorter(command).mut_args(|arg| {
            let is_shared = shared.iter().any(|id| arg.get_id() == id);
            if is_shared { of_run(arg) } else { arg }
        }),
        name if WITH_SERVE_OPTIONS.contains(&name) || !has_them => shorter(command),
        _ => without(command, shared),
    }
}

/// An option of `larder serve` in the help of `larder run`.
fn of_run(arg: Arg) -> Arg {
    let mut help = arg.get_help().map(StyledStr::to_string).unwrap_or_default();
    for (of_serve, of_run) in DEFAULTS_OF_RUN {
        help = help.replace(of_serve, of_run);
    }
    let is_of_serve = arg.get_id() == UPGRADE;
    arg.help(help).help_heading(SERVE_HEADING).hide(is_of_serve)
}

/// A command whose help names the options of `larder serve` in one line.
fn without(command: Command, shared: &[String]) -> Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let after = examples.map_or_else(|| ALSO.to_owned(), |text| format!("{ALSO}\n\n{text}"));
    let command = shorter(command).after_help(after);
    command.mut_args(|arg| {
        let is_shared = shared.iter().any(|id| arg.get_id() == id);
        arg.hide(is_shared)
    })
}

/// A command whose `--help` is as short as its `-h`: the paragraph stands between usage and options.
fn shorter(command: Command) -> Command {
    let about = command.get_about().map(StyledStr::to_string).unwrap_or_default();
    let long = command.get_long_about().map(StyledStr::to_string).unwrap_or_default();
    let paragraph = long.strip_prefix(about.as_str()).unwrap_or_default().trim().to_owned();
    let command = command.long_about(Resettable::Reset).help_template(TEMPLATE);
    let command = if paragraph.is_empty() { command } else { command.before_help(paragraph) };
    command.mut_args(|arg| arg.hide_env_values(true))
}
