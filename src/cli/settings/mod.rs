//! From flags, environment and file to the configuration.

mod client;

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::Failure;
use super::check::NO_FILE;
pub(super) use super::logs::start_logs;
use crate::config::environment::{self, Environment};
use crate::config::{Config, Override, Problem, is_written};

/// The file in the working directory that is read if no other is named.
const DEFAULT_FILE: &str = "larder.toml";

/// The options of every command that runs a sidecar or asks one.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ServeArgs {
    /// Configuration file (TOML) [default: ./larder.toml, if it exists]
    #[arg(short, long, env = "LARDER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address for applications [config: server.listen] [default: 127.0.0.1:5273]
    #[arg(long, env = "LARDER_LISTEN", value_name = "ADDR")]
    listen: Option<String>,
    /// Unix socket for applications on this machine [config: `server.unix_socket`]
    #[arg(long, env = "LARDER_UNIX_SOCKET", value_name = "PATH")]
    unix_socket: Option<String>,
    /// Address of the status page, metrics and admin API [config: `server.admin_listen`]
    /// [default: 127.0.0.1:5274]
    #[arg(long, env = "LARDER_ADMIN_LISTEN", value_name = "ADDR")]
    admin_listen: Option<String>,
    /// Bearer token for the admin API (prefer `LARDER_ADMIN_TOKEN`) [config: `server.admin_token`]
    #[arg(long, env = "LARDER_ADMIN_TOKEN", value_name = "TEXT", hide_env_values = true)]
    admin_token: Option<String>,
    /// Base URL of the default provider, with its version segment
    /// [config: `providers.NAME.base_url`]
    #[arg(long, env = "LARDER_UPSTREAM", value_name = "URL")]
    upstream: Option<String>,
    /// Dialect of --upstream [config: providers.NAME.dialect] [default: openai]
    #[arg(long, env = "LARDER_DIALECT", value_name = "NAME")]
    dialect: Option<String>,
    /// Directory of the disk tier, which keeps responses across restarts [config: disk.dir]
    #[arg(long, env = "LARDER_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<String>,
    /// Redis or Valkey that replicas share [config: redis.url]
    #[arg(long, env = "LARDER_REDIS", value_name = "URL", hide_env_values = true)]
    redis: Option<String>,
    /// Secret that hashes the credentials in cache keys, the same for replicas that share a tier
    /// (prefer `LARDER_SECRET`) [config: cache.secret]
    #[arg(long, env = "LARDER_SECRET", value_name = "TEXT", hide_env_values = true)]
    secret: Option<String>,
    /// Authentication of clients: off, verify or allowlist [config: access.auth] [default: off]
    #[arg(long, env = "LARDER_AUTH", value_name = "MODE")]
    auth: Option<String>,
    /// File of the API keys of clients, one a line [config: `access.keys_file`]
    #[arg(long, env = "LARDER_KEYS_FILE", value_name = "FILE")]
    keys_file: Option<String>,
    /// API keys of clients, separated by commas (prefer `LARDER_KEYS`) [config: access.keys]
    #[arg(long, env = "LARDER_KEYS", value_name = "KEYS", hide_env_values = true)]
    keys: Option<String>,
    /// live, record (into --recordings) or replay (from there) [config: server.mode] [default: live]
    #[arg(long, env = "LARDER_MODE", value_name = "MODE")]
    mode: Option<String>,
    /// Directory of recordings [config: server.recordings]
    #[arg(long, env = "LARDER_RECORDINGS", value_name = "DIR")]
    recordings: Option<String>,
    /// Format of log lines: text or json [config: log.format] [default: text]
    #[arg(long, env = "LARDER_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
    /// Minimum log level: error, warn, info, debug or trace [config: log.level] [default: info]
    #[arg(long, env = "LARDER_LOG_LEVEL", value_name = "LEVEL")]
    log_level: Option<String>,
    /// Wait for the running process to hand over its listeners, at its SIGQUIT
    #[arg(long, env = "LARDER_UPGRADE")]
    pub(super) upgrade: bool,
    /// Neither the working directory nor the environment counts.
    #[arg(skip)]
    isolated: bool,
    /// The file was looked for already.
    #[arg(skip)]
    is_located: bool,
}

impl ServeArgs {
    /// Options for a sidecar on free ports before an upstream, for commands that bring one. Neither a
    /// file nor the environment counts.
    pub(super) fn for_upstream(upstream: &str) -> Self {
        Self {
            listen: Some("127.0.0.1:0".to_owned()),
            admin_listen: Some("127.0.0.1:0".to_owned()),
            upstream: Some(upstream.to_owned()),
            log_level: Some("warn".to_owned()),
            isolated: true,
            ..Self::default()
        }
    }

    /// The same options with the file that is found now, so that a reload reads the same one.
    pub(super) fn located(&self) -> Self {
        Self { config: self.file(), is_located: true, ..self.clone() }
    }

    /// The whole configuration, valid; every problem at once otherwise.
    pub(super) fn resolve(&self) -> Result<Config, Failure> {
        self.resolve_above(&[])
    }

    /// Like [`Self::resolve`], with other defaults.
    pub(super) fn resolve_above(&self, defaults: &[Override]) -> Result<Config, Failure> {
        Ok(self.load(defaults)?.config)
    }

    /// The warnings about a configuration; none if it is not valid.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.load(&[]).map(|loaded| loaded.warnings).unwrap_or_default()
    }

    /// The configuration with its file and its warnings.
    pub(super) fn load(&self, defaults: &[Override]) -> Result<Loaded, Vec<Problem>> {
        let file = self.file();
        let (name, text) = match &file {
            None => ("defaults".to_owned(), String::new()),
            Some(path) => (path.display().to_string(), read(path)?),
        };
        let environment = if self.isolated { Environment::default() } else { environment()? };
        let (mut overrides, mut warnings) = (self.flags(&environment), Vec::new());
        add(&mut overrides, environment.plain(), &mut warnings);
        let default = default_provider(&name, &text, &overrides);
        for (key, flag, value) in
            [("base_url", "--upstream", &self.upstream), ("dialect", "--dialect", &self.dialect)]
        {
            let key = format!("providers.{default}.{key}");
            overrides.extend(over(&key, (flag, &variable_of(flag)), value.as_ref(), &environment));
        }
        let mut names = Config::provider_names(&text);
        names.push(default);
        let (of_providers, problems) = environment.of_providers(&names);
        if !problems.is_empty() {
            return Err(problems);
        }
        add(&mut overrides, of_providers, &mut warnings);
        let is_set = |key: &str| overrides.iter().any(|over| over.key == key);
        let open = |over: &&Override| !is_set(&over.key) && !is_written(&text, &over.key);
        overrides.extend(defaults.iter().filter(open).cloned().collect::<Vec<_>>());
        let config = Config::read(&name, &text, &overrides)?;
        let keys_of: Vec<&str> =
            config.providers.values().filter_map(|provider| provider.api_key_env.name()).collect();
        warnings.extend(environment.unknown(&names, &keys_of));
        warnings.extend(config.warnings());
        Ok(Loaded { config, file, warnings })
    }

    /// The name of the file for people.
    pub(super) fn file_label(&self) -> String {
        self.file().map_or_else(|| NO_FILE.to_owned(), |file| file.display().to_string())
    }

    /// The file: `--config` or `LARDER_CONFIG`, else `larder.toml` in the working directory.
    fn file(&self) -> Option<PathBuf> {
        let found = || Path::new(DEFAULT_FILE).is_file().then(|| PathBuf::from(DEFAULT_FILE));
        let is_open = !self.isolated && !self.is_located;
        self.config.clone().or_else(|| if is_open { found() } else { None })
    }

    /// The flags and their variables.
    fn flags(&self, environment: &Environment) -> Vec<Override> {
        let plain = [
            ("server.listen", "--listen", &self.listen),
            ("server.unix_socket", "--unix-socket", &self.unix_socket),
            ("server.admin_listen", "--admin-listen", &self.admin_listen),
            ("server.admin_token", "--admin-token", &self.admin_token),
            ("server.mode", "--mode", &self.mode),
            ("server.recordings", "--recordings", &self.recordings),
            ("disk.dir", "--cache-dir", &self.cache_dir),
            ("cache.secret", "--secret", &self.secret),
            ("access.auth", "--auth", &self.auth),
            ("access.keys_file", "--keys-file", &self.keys_file),
            ("access.keys", "--keys", &self.keys),
            ("redis.url", "--redis", &self.redis),
            ("log.format", "--log-format", &self.log_format),
            ("log.level", "--log-level", &self.log_level),
        ];
        let of = |(key, flag, value): (&str, &str, &Option<String>)| {
            over(key, (flag, &variable_of(flag)), value.as_ref(), environment)
        };
        plain.into_iter().filter_map(of).collect()
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Self::Usage(lines.join("\n"))
    }
}

/// A configuration, and its origin.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    /// The file that it was read from.
    pub(super) file: Option<PathBuf>,
    /// Warnings for the operator.
    pub(super) warnings: Vec<String>,
}

fn read(path: &Path) -> Result<String, Vec<Problem>> {
    fs::read_to_string(path).map_err(|error| {
        let place = path.display().to_string();
        vec![Problem { place, key: String::new(), message: error.to_string() }]
    })
}

/// The variables of this process.
fn environment() -> Result<Environment, Vec<Problem>> {
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
fn add(overrides: &mut Vec<Override>, others: Vec<Override>, warnings: &mut Vec<String>) {
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

/// The variable of a flag: `LARDER_CACHE_DIR` of `--cache-dir`.
fn variable_of(flag: &str) -> String {
    environment::variable(flag.trim_start_matches('-'))
}

/// The value of a flag or of its variable, with the one of the two that it came from.
fn over(
    key: &str,
    (flag, variable): (&str, &str),
    value: Option<&String>,
    environment: &Environment,
) -> Option<Override> {
    let text = value?.clone();
    let is_of_variable = environment.get(variable) == Some(text.as_str());
    // An empty variable counts as not set.
    if text.is_empty() && env::var_os(variable).is_some_and(|value| value.is_empty()) {
        return None;
    }
    let place = if is_of_variable { variable } else { flag };
    Some(Override { key: key.to_owned(), text, place: place.to_owned() })
}

/// The provider that `--upstream` is about. A file that is no TOML is an error later.
fn default_provider(name: &str, text: &str, overrides: &[Override]) -> String {
    let server = Config::read_server(name, text, overrides);
    server.map_or_else(|| "openai".to_owned(), |server| server.default_provider)
}
