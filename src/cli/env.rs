//! `larder env`: the variables that lead the SDKs of a shell to a sidecar.

use std::net::SocketAddr;

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::admin::Admin;
use super::settings::ServeArgs;
use super::variables::{Standing, leading, reachable};
use super::{Failure, print, runtime, warn};
use crate::config::Config;

/// The options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    serve: ServeArgs,
    /// Syntax of the lines
    #[arg(long, value_enum, default_value_t = Shell::Sh)]
    shell: Shell,
    /// Print one JSON object
    #[arg(long, conflicts_with = "shell")]
    json: bool,
}

/// The reader of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Sh,
    Fish,
    Powershell,
    Dotenv,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.serve.resolve_client()?;
    let runtime = runtime()?;
    let admin = Admin::of(&config)?;
    let proxy = if let Some(proxy) = runtime.block_on(admin.proxy())? {
        proxy
    } else {
        let proxy = configured(&config)?;
        warn(&format_args!(
            "no sidecar listens at {} yet; these variables lead to {proxy}, where `larder serve` \
             would listen",
            admin.address()
        ));
        proxy
    };
    let variables = leading(&config, &proxy, &Standing::default());
    if args.json {
        let object = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        return print(&format_args!("{:#}", Value::Object(object.collect::<Map<_, _>>())));
    }
    let lines: Vec<String> =
        variables.iter().map(|(name, value)| args.shell.line(name, value)).collect();
    print(&lines.join("\n"))
}

/// The URL of a sidecar with this configuration.
fn configured(config: &Config) -> Result<String, Failure> {
    let address: SocketAddr = config.server.listen;
    if address.port() == 0 {
        let message =
            "no sidecar listens, and port 0 of server.listen (--listen) is not an address to print";
        return Err(Failure::Running(message.to_owned()));
    }
    let scheme = if config.server.tls_cert.is_named() { "https" } else { "http" };
    Ok(reachable(&format!("{scheme}://{address}")).expect("an address makes a URL"))
}

impl Shell {
    fn line(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh => format!("export {name}={}", quoted(value, "'\\''")),
            Self::Fish => {
                format!("set -gx {name} {}", quoted(&value.replace('\\', "\\\\"), "\\'"))
            }
            Self::Powershell => format!("$env:{name} = '{}'", value.replace('\'', "''")),
            Self::Dotenv => format!("{name}={}", quoted(value, "'\\''")),
        }
    }
}

/// As it is where no shell reads anything into it; otherwise in quotes.
fn quoted(value: &str, quote: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-,".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_reads_the_value_that_was_meant() {
        let line = |shell: Shell, value| shell.line("A", value);
        assert_eq!(line(Shell::Sh, "http://127.0.0.1:5/v1"), "export A=http://127.0.0.1:5/v1");
        assert_eq!(line(Shell::Sh, "http://[::1]:5"), "export A='http://[::1]:5'");
        assert_eq!(line(Shell::Sh, "a'b c"), "export A='a'\\''b c'");
        assert_eq!(line(Shell::Fish, "a'b\\"), "set -gx A 'a\\'b\\\\'");
        assert_eq!(line(Shell::Powershell, "a'b"), "$env:A = 'a''b'");
        assert_eq!(line(Shell::Dotenv, "a,b"), "A=a,b");
    }
}
