//! From flags, environment and file to the configuration.

mod client;
mod overrides;

use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::builder::{FalseyValueParser, OsStringValueParser, TypedValueParser};

use super::Failure;
use super::check::NO_FILE;
pub(super) use super::logs::start_logs;
use crate::config::environment::Environment;
use crate::config::{Config, Override, Problem};
use crate::os_error::plain;
pub(super) use overrides::Defaults;
use overrides::{add, add_open, add_otel, environment, over};

/// The file in the working directory that is read if no other is named.
const DEFAULT_FILE: &str = "larder.toml";

/// The variable of `--config`.
const CONFIG: &str = "LARDER_CONFIG";

/// The options of every command that runs a sidecar or asks one.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ServeArgs {
    /// Configuration file (TOML) [default: ./larder.toml, if it exists]
    #[arg(short, long, env = CONFIG, value_name = "FILE", value_parser = path_parser())]
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
    #[arg(long, env = "LARDER_UPGRADE", value_parser = FalseyValueParser::new())]
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
        Ok(self.load()?.config)
    }

    /// The configuration with its file and its warnings.
    pub(super) fn load(&self) -> Result<Loaded, Vec<Problem>> {
        self.load_above(&Defaults { fixed: Vec::new(), derived: &|_| Ok(Vec::new()) })
    }

    /// Like [`Self::load`], with other defaults. Each file is read once: it may be a pipe.
    pub(super) fn load_above(&self, defaults: &Defaults<'_>) -> Result<Loaded, Vec<Problem>> {
        self.refuse_no_name()?;
        let file = self.file();
        let (name, text) = match &file {
            None => ("defaults".to_owned(), String::new()),
            Some(path) => (path.display().to_string(), read(path)?),
        };
        let environment = if self.isolated { Environment::default() } else { environment()? };
        let (mut overrides, mut warnings) = (self.flags(&environment), Vec::new());
        add(&mut overrides, environment.plain(), &mut warnings);
        add_open(&mut overrides, &text, defaults.fixed.clone());
        let server = Config::read_server(&name, &text, &overrides);
        let derived = server.as_ref().map_or_else(|| Ok(Vec::new()), defaults.derived)?;
        // A file that is no TOML is an error below.
        let default = server.map_or_else(|| "openai".to_owned(), |server| server.default_provider);
        for (key, flag, value) in
            [("base_url", "--upstream", &self.upstream), ("dialect", "--dialect", &self.dialect)]
        {
            let key = format!("providers.{default}.{key}");
            overrides.extend(over(&key, flag, value.as_ref(), &environment));
        }
        let mut names = Config::provider_names(&text);
        names.push(default);
        let (of_providers, problems) = environment.of_providers(&names);
        if !problems.is_empty() {
            return Err(problems);
        }
        add(&mut overrides, of_providers, &mut warnings);
        add_open(&mut overrides, &text, derived);
        add_otel(&mut overrides, &text, (&environment, &mut warnings));
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
        let named = self.config.clone().filter(|path| !path.as_os_str().is_empty());
        named.or_else(|| if is_open { found() } else { None })
    }

    /// An error if `--config` has an empty name. An empty variable counts as not set.
    fn refuse_no_name(&self) -> Result<(), Vec<Problem>> {
        let is_empty = self.config.as_ref().is_some_and(|path| path.as_os_str().is_empty());
        if !is_empty || env::var_os(CONFIG).is_some_and(|value| value.is_empty()) {
            return Ok(());
        }
        let (place, message) = ("--config".to_owned(), "expected the name of a file".to_owned());
        Err(vec![Problem { place, key: String::new(), message }])
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
            over(key, flag, value.as_ref(), environment)
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
        vec![Problem { place, key: String::new(), message: plain(error) }]
    })
}

/// Reads a path. Unlike clap's own parser it takes an empty one, as an empty variable has it.
fn path_parser() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}
