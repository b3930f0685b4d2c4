//! The help of each command, in a form that fits a screen.
//!
//! `larder man` and the completions have every option of every command. `--help` shows the options of
//! `larder serve` once, in the help of `serve` and `run`; the other commands name them in one line.

use clap::builder::{Resettable, StyledStr};
use clap::{Args, Command};

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

/// The heading of the options that `run` shares with `serve`.
const SERVE_HEADING: &str = "Options of the sidecar";

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
            if is_shared { arg.help_heading(SERVE_HEADING) } else { arg }
        }),
        name if WITH_SERVE_OPTIONS.contains(&name) || !has_them => shorter(command),
        _ => without(command, shared),
    }
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
