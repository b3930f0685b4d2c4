//! The configuration: as written, then as resolved. Nothing is bound or opened before all is valid.
//!
//! Each section is declared once, with its doc comments; the commented default file and the
//! reference are rendered from those (`config/reference.rs`).

mod base_url;
mod built_in;
mod check;
mod drift;
pub mod keys;
mod listening;
mod log;
mod metrics;
mod models;
pub mod pem_file;
mod prices;
mod providers;
mod read;
pub mod reference;
mod rules;
mod sections;
pub mod sharers;
pub mod socket_path;
pub mod stores;
#[cfg(test)]
mod tests;
mod traces;
pub mod units;
pub mod words;

use std::collections::BTreeMap;

use toml::de::DeTable;

pub use built_in::{BUILT_IN, BuiltIn, DIALECTS, LIKE_OPENAI, speak_alike};
pub use drift::Drift;
pub use log::Log;
pub use metrics::Metrics;
pub use models::ModelRules;
pub use prices::{Price, PriceList, Prices};
pub use read::{Key, Override, Problem, Section, is_written, unknown};
use read::{Reader, Table};
pub use rules::{Action, Conditions, Glob, HeaderTest, Keywords, Pattern, Rule};
pub use sections::{Access, Cache, Disk, Provider, Redis, Server};
pub use traces::{Share, Traces};
use words::Mode;

/// The whole configuration, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listeners.
    pub server: Server,
    /// What is kept.
    pub cache: Cache,
    /// Who is answered.
    pub access: Access,
    /// What tokens cost.
    pub prices: Prices,
    /// What lasts.
    pub disk: Disk,
    /// What is shared.
    pub redis: Redis,
    /// What is logged.
    pub log: Log,
    /// What is shown of it.
    pub metrics: Metrics,
    /// What is traced.
    pub traces: Traces,
    /// What is doubted.
    pub drift: Drift,
    /// What becomes of some requests for a model's words, in this order.
    pub rules: Vec<Rule>,
    /// The providers by name, those built in included.
    pub providers: BTreeMap<String, Provider>,
}

impl Config {
    /// Reads a file's text under what flags and environment say; every problem at once.
    pub fn read(file: &str, text: &str, overrides: &[Override]) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(file, text, overrides);
        let parsed = DeTable::parse(text).map_err(|error| {
            reader.note(
                error.span().unwrap_or_default(),
                String::new(),
                error.message().to_owned(),
            );
            reader.problems.clone()
        })?;
        let root = parsed.get_ref();
        refuse_unknown_sections(&mut reader, root);
        let server = Server::read(&mut reader, &table(root, "server"));
        let config = Self {
            cache: Cache::read(&mut reader, &table(root, "cache")),
            access: Access::read(&mut reader, &table(root, "access")),
            prices: Prices::read(&mut reader, &table(root, "prices")),
            disk: Disk::read(&mut reader, &table(root, "disk")),
            redis: Redis::read(&mut reader, &table(root, "redis")),
            log: Log::read(&mut reader, &table(root, "log")),
            metrics: Metrics::read(&mut reader, &table(root, "metrics")),
            drift: Drift::read(&mut reader, &table(root, "drift")),
            traces: Traces::read(&mut reader, &table(root, "traces")),
            rules: rules::read(&mut reader, root),
            providers: providers::read(&mut reader, root, &server),
            server,
        };
        if config.server.mode == Mode::Replay {
            reader.problems.retain(|problem| !keys::is_unset(problem));
        }
        reader.problems.extend(config.check());
        reader.problems.extend(config.check_rules());
        if reader.problems.is_empty() { Ok(config) } else { Err(reader.problems) }
    }
}

impl Config {
    /// The server's own section by itself, whatever is wrong beside it; `None` where the text is no TOML.
    pub fn read_server(name: &str, text: &str, overrides: &[Override]) -> Option<Server> {
        let parsed = DeTable::parse(text).ok()?;
        let mut reader = Reader::new(name, text, overrides);
        Some(Server::read(&mut reader, &table(parsed.get_ref(), "server")))
    }
}

fn refuse_unknown_sections(reader: &mut Reader<'_>, root: &DeTable<'_>) {
    const KNOWN: [&str; 12] = [
        "server",
        "cache",
        "access",
        "prices",
        "disk",
        "redis",
        "log",
        "metrics",
        "traces",
        "drift",
        "rules",
        "providers",
    ];
    for (name, value) in root {
        if !KNOWN.contains(&name.get_ref().as_ref()) {
            let message = unknown("section", name.get_ref(), &KNOWN);
            reader.note(name.span(), name.get_ref().to_string(), message);
        } else if !value.get_ref().is_table() && name.get_ref() != "rules" {
            let message = "is a section: write it as [name]".to_owned();
            reader.note(name.span(), name.get_ref().to_string(), message);
        }
    }
}

fn table<'t>(root: &'t DeTable<'t>, name: &str) -> Table<'t> {
    Table { name: name.to_owned(), keys: root.get(name).and_then(|v| v.get_ref().as_table()) }
}
