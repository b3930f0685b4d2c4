//! The configuration. Nothing is bound or opened before all of it is valid.
//!
//! Each section is declared once, with its doc comments. The default file, the reference and the JSON
//! schema are generated from those (`reference.rs`, `schema.rs`).

mod base_url;
mod bounds;
mod built_in;
mod changes;
mod check;
mod differences;
mod drift;
pub mod environment;
pub mod keys;
mod known_names;
mod listening;
mod log;
mod metrics;
mod models;
mod nearest;
pub mod origin;
mod otel;
pub mod pem_file;
mod percent;
mod prices;
mod private_file;
mod provider_names;
mod providers;
mod read;
pub mod reference;
mod rules;
pub mod schema;
mod secret;
mod sections;
mod setting;
pub mod sharers;
pub mod socket_path;
mod sources;
pub mod stores;
#[cfg(test)]
mod tests;
mod text_form;
mod traces;
pub mod units;
pub mod words;
#[cfg(test)]
mod wrong_files;

use std::collections::BTreeMap;

use toml::de::DeTable;

pub use built_in::{BUILT_IN, BuiltIn, DIALECTS, LIKE_OPENAI, speak_alike};
pub use drift::Drift;
pub use log::Log;
pub use metrics::Metrics;
pub use models::ModelRules;
pub use prices::{Price, PriceList, Prices, RATES, Rates, Seller, Tiers};
pub use provider_names::{is_api_path, leading_name, meant_provider};
use read::Reader;
pub use read::{Key, Override, Problem, Section, is_written, unknown};
pub use rules::{Action, Conditions, Glob, HeaderTest, Keywords, Pattern, Rule};
pub use sections::{Access, Cache, Disk, Provider, Redis, Server};
pub use sources::Sources;
pub use traces::{SecretHeaders, Share, TraceProtocol, Traces};
use words::Mode;

/// The whole configuration, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listeners, and the limits of requests.
    pub server: Server,
    /// The cache, and its lifetimes.
    pub cache: Cache,
    /// The authentication of clients.
    pub access: Access,
    /// The prices of tokens.
    pub prices: Prices,
    /// The disk tier.
    pub disk: Disk,
    /// The shared tier.
    pub redis: Redis,
    /// The log.
    pub log: Log,
    /// Optional metrics.
    pub metrics: Metrics,
    /// Traces.
    pub traces: Traces,
    /// The drift check.
    pub drift: Drift,
    /// The rules for chat requests, in their order.
    pub rules: Vec<Rule>,
    /// The providers by name, the built-in ones included.
    pub providers: BTreeMap<String, Provider>,
    /// The origins of the values.
    pub sources: Sources,
}

impl Config {
    /// Reads a file's text under the overrides. An error has all problems at once.
    pub fn read(file: &str, text: &str, overrides: &[Override]) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(file, text, overrides);
        let parsed = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let key = reader.key_near(span.start);
            reader.note(span, key, error.message().replace('\n', "; "));
            reader.problems.clone()
        })?;
        let mut config = Self::read_sections(&mut reader, parsed.get_ref());
        if config.server.mode == Mode::Replay {
            reader.problems.retain(|problem| !keys::is_unset(problem));
        }
        let mut problems = reader.problems;
        config.sources = reader.sources;
        problems.extend(config.check());
        problems.extend(config.check_rules());
        problems.sort_by_key(Problem::line);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn read_sections(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Self {
        refuse_unknown_sections(reader, root);
        let server = section(reader, root, "server");
        Self {
            cache: section(reader, root, "cache"),
            access: section(reader, root, "access"),
            prices: section(reader, root, "prices"),
            disk: section(reader, root, "disk"),
            redis: section(reader, root, "redis"),
            log: section(reader, root, "log"),
            metrics: section(reader, root, "metrics"),
            traces: section(reader, root, "traces"),
            drift: section(reader, root, "drift"),
            rules: rules::read(reader, root),
            providers: providers::read(reader, root, &server),
            server,
            sources: Sources::default(),
        }
    }
}

impl Config {
    /// The section of the server by itself, whatever is wrong in others; `None` if the text is no TOML.
    pub fn read_server(name: &str, text: &str, overrides: &[Override]) -> Option<Server> {
        let parsed = DeTable::parse(text).ok()?;
        let mut reader = Reader::new(name, text, overrides);
        Some(section(&mut reader, parsed.get_ref(), "server"))
    }

    /// The names of the providers that a file has; none if the text is no TOML.
    pub fn provider_names(text: &str) -> Vec<String> {
        let Ok(parsed) = DeTable::parse(text) else { return Vec::new() };
        let providers = parsed.get_ref().get("providers");
        let names = providers.and_then(|value| value.get_ref().as_table()).into_iter().flatten();
        names.map(|(name, _)| name.get_ref().to_string()).collect()
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
            let name_of = name.get_ref();
            let message = format!("is a section; write it as [{name_of}]");
            reader.note(name.span(), name_of.to_string(), message);
        }
    }
}

fn section<S: Section>(reader: &mut Reader<'_>, root: &DeTable<'_>, name: &str) -> S {
    let table = reader.section(root, name);
    S::read(reader, &table)
}
