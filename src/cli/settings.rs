//! From flags, environment and file to the configuration.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::{fs, panic};

use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::config::words::{LogFormat, LogLevel};
use crate::config::{Config, Log, Override, is_written};

/// The options of everything that runs a sidecar.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ServeArgs {
    /// The configuration file (TOML); without one, everything is at its default
    #[arg(short, long, env = "LARDER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where applications connect [config: server.listen] [default: 127.0.0.1:5273]
    #[arg(long, env = "LARDER_LISTEN", value_name = "ADDR")]
    listen: Option<String>,
    /// A socket file where applications on this machine connect too [config: `server.unix_socket`]
    #[arg(long, env = "LARDER_UNIX_SOCKET", value_name = "PATH")]
    unix_socket: Option<String>,
    /// Where metrics and health are [config: `server.admin_listen`] [default: 127.0.0.1:5274]
    #[arg(long, env = "LARDER_ADMIN_LISTEN", value_name = "ADDR")]
    admin_listen: Option<String>,
    /// What an administrator has to show; better in the environment [config: `server.admin_token`]
    #[arg(long, env = "LARDER_ADMIN_TOKEN", value_name = "TEXT", hide_env_values = true)]
    admin_token: Option<String>,
    /// Base URL of the default provider, with its version segment
    /// [config: `providers.NAME.base_url`]
    #[arg(long, env = "LARDER_UPSTREAM", value_name = "URL")]
    upstream: Option<String>,
    /// Wire shapes of --upstream [config: providers.NAME.dialect] [default: openai]
    #[arg(long, env = "LARDER_DIALECT", value_name = "NAME")]
    dialect: Option<String>,
    /// Keep answers in this directory, across restarts [config: disk.dir]
    #[arg(long, env = "LARDER_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<String>,
    /// Share answers with other replicas through this Redis or Valkey [config: redis.url]
    #[arg(long, env = "LARDER_REDIS", value_name = "URL", hide_env_values = true)]
    redis: Option<String>,
    /// What the credentials in cache keys are hashed with, the same for replicas that share
    /// [config: cache.secret]
    #[arg(long, env = "LARDER_SECRET", value_name = "TEXT", hide_env_values = true)]
    secret: Option<String>,
    /// Who is answered: off, verify or allowlist [config: access.auth] [default: off]
    #[arg(long, env = "LARDER_AUTH", value_name = "WHO")]
    auth: Option<String>,
    /// A file of the keys that are let in, one a line [config: `access.keys_file`]
    #[arg(long, env = "LARDER_KEYS_FILE", value_name = "FILE")]
    keys_file: Option<String>,
    /// The keys that are let in, with commas; better in the environment [config: access.keys]
    #[arg(long, env = "LARDER_KEYS", value_name = "KEYS", hide_env_values = true)]
    keys: Option<String>,
    /// live; record answers into --recordings; or replay them [config: server.mode] [default: live]
    #[arg(long, env = "LARDER_MODE", value_name = "MODE")]
    mode: Option<String>,
    /// The folder of what is recorded and replayed [config: server.recordings]
    #[arg(long, env = "LARDER_RECORDINGS", value_name = "DIR")]
    recordings: Option<String>,
    /// How log lines look: text or json [config: log.format] [default: text]
    #[arg(long, env = "LARDER_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
    /// From which weight on events are logged [config: log.level] [default: info]
    #[arg(long, env = "LARDER_LOG_LEVEL", value_name = "LEVEL")]
    log_level: Option<String>,
    /// Take the listeners over from the running process that was sent SIGQUIT
    #[arg(long, env = "LARDER_UPGRADE")]
    pub(super) upgrade: bool,
}

impl ServeArgs {
    /// Options for a sidecar on free ports before an upstream, for commands that bring one.
    pub(super) fn for_upstream(upstream: &str) -> Self {
        Self {
            listen: Some("127.0.0.1:0".to_owned()),
            admin_listen: Some("127.0.0.1:0".to_owned()),
            upstream: Some(upstream.to_owned()),
            log_level: Some("warn".to_owned()),
            ..Self::default()
        }
    }

    /// The whole configuration, valid; every problem at once otherwise.
    pub(super) fn resolve(&self) -> Result<Config, Failure> {
        self.resolve_above(&[])
    }

    /// The same, over defaults that give way to flags, environment and file.
    pub(super) fn resolve_above(&self, defaults: &[Override]) -> Result<Config, Failure> {
        let (name, text) = match &self.config {
            None => ("no file".to_owned(), String::new()),
            Some(path) => {
                let read = fs::read_to_string(path);
                let wrong = |error| Failure::Usage(format!("{}: {error}", path.display()));
                (path.display().to_string(), read.map_err(wrong)?)
            }
        };
        let plain = [
            ("server.listen", "--listen", self.listen.as_ref()),
            ("server.unix_socket", "--unix-socket", self.unix_socket.as_ref()),
            ("server.admin_listen", "--admin-listen", self.admin_listen.as_ref()),
            ("server.admin_token", "--admin-token", self.admin_token.as_ref()),
            ("server.mode", "--mode", self.mode.as_ref()),
            ("server.recordings", "--recordings", self.recordings.as_ref()),
            ("disk.dir", "--cache-dir", self.cache_dir.as_ref()),
            ("cache.secret", "--secret", self.secret.as_ref()),
            ("access.auth", "--auth", self.auth.as_ref()),
            ("access.keys_file", "--keys-file", self.keys_file.as_ref()),
            ("access.keys", "--keys", self.keys.as_ref()),
            ("redis.url", "--redis", self.redis.as_ref()),
            ("log.format", "--log-format", self.log_format.as_ref()),
            ("log.level", "--log-level", self.log_level.as_ref()),
        ];
        let mut overrides: Vec<Override> =
            plain.into_iter().filter_map(|(key, flag, value)| over(key, flag, value)).collect();
        if self.upstream.is_some() || self.dialect.is_some() {
            let default = default_provider(&name, &text, &overrides);
            let key = |key| format!("providers.{default}.{key}");
            overrides.extend(over(&key("base_url"), "--upstream", self.upstream.as_ref()));
            overrides.extend(over(&key("dialect"), "--dialect", self.dialect.as_ref()));
        }
        let said = |key: &str| overrides.iter().any(|over| over.key == key);
        let open = |over: &&Override| !said(&over.key) && !is_written(&text, &over.key);
        overrides.extend(defaults.iter().filter(open).cloned().collect::<Vec<_>>());
        Config::read(&name, &text, &overrides).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::Usage(lines.join("\n"))
        })
    }
}

fn over(key: &str, flag: &str, value: Option<&String>) -> Option<Override> {
    let variable = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
    let place = format!("{flag} or LARDER_{variable}");
    value.cloned().map(|text| Override { key: key.to_owned(), text, place })
}

/// Whom `--upstream` is about. A file that is no TOML is reported when all is read.
fn default_provider(name: &str, text: &str, overrides: &[Override]) -> String {
    let server = Config::read_server(name, text, overrides);
    server.map_or_else(|| "openai".to_owned(), |server| server.default_provider)
}

/// Sends logs to standard error, as the configuration says.
pub(super) fn start_logs(log: &Log) {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    panic::set_hook(Box::new(|panic| {
        // Where, and not with what: the message may quote a request.
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic");
    }));
    // What larder stands on has its own idea of what is worth telling.
    let filter = EnvFilter::new(format!("error,larder={level}"));
    // Colours are for people, not for files.
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logs are on already");
    }
}
