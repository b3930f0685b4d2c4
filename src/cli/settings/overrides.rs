//! Values above the file: flags, environment variables, and the defaults of a command.

use std::env;

use crate::config::environment::{self, Environment};
use crate::config::{Override, Problem, Server, is_written};

/// Defaults that depend on the section of the server.
type Derived<'a> = &'a dyn Fn(&Server) -> Result<Vec<Override>, Vec<Problem>>;

/// The defaults of a command. Everything that an operator sets has precedence over them.
pub(in crate::cli) struct Defaults<'a> {
    pub(in crate::cli) fixed: Vec<Override>,
    pub(in crate::cli) derived: Derived<'a>,
}

/// The variables of this process.
pub(super) fn environment() -> Result<Environment, Vec<Problem>> {
    let mut variables = Vec::new();
    for (name, value) in env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => variables.push((name, value)),
            Err(_) if name.starts_with("LARDER_") => {
                let message = "is not valid UTF-8".to_owned();
                return Err(vec![Problem { place: name, key: String::new(), message }]);
            }
            Err(_) => {}
        }
    }
    Ok(Environment::of(variables))
}

/// Adds the values of long variables. A key that has a value already keeps it.
pub(super) fn add(
    overrides: &mut Vec<Override>,
    others: Vec<Override>,
    warnings: &mut Vec<String>,
) {
    for other in others {
        match overrides.iter().find(|over| over.key == other.key) {
            None => overrides.push(other),
            Some(over) if over.text != other.text && over.place.starts_with("LARDER_") => {
                let (used, unused) = (&over.place, &other.place);
                warnings.push(format!("{unused} is not used: {used} sets {} too", other.key));
            }
            Some(_) => {}
        }
    }
}

/// Adds defaults for keys that nothing sets.
pub(super) fn add_open(overrides: &mut Vec<Override>, text: &str, defaults: Vec<Override>) {
    for default in defaults {
        let is_set = overrides.iter().any(|over| over.key == default.key);
        if !is_set && !is_written(text, &default.key) {
            overrides.push(default);
        }
    }
}

/// Adds the values of `OTEL_*` variables for keys that nothing sets.
pub(super) fn add_otel(
    overrides: &mut Vec<Override>,
    text: &str,
    (environment, warnings): (&Environment, &mut Vec<String>),
) {
    const ENDPOINT: &str = "traces.endpoint";
    let is_set = overrides.iter().any(|over| over.key == ENDPOINT) || is_written(text, ENDPOINT);
    let otel = environment.otel(is_set);
    warnings.extend(otel.warnings);
    add_open(overrides, text, otel.overrides);
}

/// The variable of a flag: `LARDER_CACHE_DIR` of `--cache-dir`.
pub(super) fn variable_of(flag: &str) -> String {
    environment::variable(flag.trim_start_matches('-'))
}

/// The value of a flag or of its variable, with the one of the two that it came from.
pub(super) fn over(
    key: &str,
    flag: &str,
    value: Option<&String>,
    environment: &Environment,
) -> Option<Override> {
    let (text, variable) = (value?.clone(), variable_of(flag));
    let is_of_variable = environment.get(&variable) == Some(text.as_str());
    // An empty variable counts as not set.
    if text.is_empty() && env::var_os(&variable).is_some_and(|value| value.is_empty()) {
        return None;
    }
    let place = if is_of_variable { variable } else { flag.to_owned() };
    Some(Override { key: key.to_owned(), text, place })
}
