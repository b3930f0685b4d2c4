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
pub use read::{Key, Override, Problem, Section, is_written};
use read::{Reader, Table, unknown};
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

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let problems = Config::read("larder.toml", text, &[]).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_at_all_is_a_valid_configuration() {
        let config = Config::read("none", "", &[]).unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:5273");
        assert_eq!(config.providers["openai"].base_url, "https://api.openai.com/v1");
        assert_eq!(config.providers["cohere"].dialect, "cohere");
        let built_in: Vec<&str> = BUILT_IN.iter().map(|built_in| built_in.name).collect();
        assert_eq!(config.providers.keys().map(String::as_str).collect::<Vec<_>>(), built_in);
        assert_eq!(built_in.len(), 16);
    }

    #[test]
    fn an_override_may_bring_a_provider_that_is_not_built_in() {
        let over = Override {
            key: "providers.azure.base_url".to_owned(),
            text: "https://mine.openai.azure.com".to_owned(),
            place: "AZURE_OPENAI_ENDPOINT".to_owned(),
        };
        let config = Config::read("none", "", &[over]).unwrap();
        assert_eq!(config.providers["azure"].dialect, "azure");
    }

    #[test]
    fn every_default_is_valid() {
        let config = Config::read("none", &reference::defaults(), &[]);
        assert!(config.is_ok(), "{config:?}");
    }

    #[test]
    fn all_problems_come_at_once_with_their_lines_and_the_nearest_key() {
        let text = "[server]\nlisen = \"127.0.0.1:1\"\ndrain = \"30\"\n\n[cashe]\n[cache]\nmemory = true\n";
        assert_eq!(
            problems(text),
            [
                "larder.toml:5: cashe: unknown section; did you mean `cache`?",
                "larder.toml:2: server.lisen: unknown key; did you mean `listen`?",
                "larder.toml:3: server.drain: expected a time such as \"10ms\" or \"30s\", got \"30\"",
                "larder.toml:7: cache.memory: expected a size such as \"64KiB\" or \"1GiB\", got \"true\"",
            ]
        );
    }

    #[test]
    fn broken_toml_is_one_problem_with_its_line() {
        let found = problems("[server]\nlisten = \n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("larder.toml:2: "), "{found:?}");
    }

    #[test]
    fn providers_need_an_address_and_a_known_dialect() {
        let text =
            "[providers.mine]\n[providers.other]\nbase_url = \"ftp://x\"\ndialect = \"opanai\"\n";
        let found = problems(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[2].contains("did you mean `openai`"), "{found:?}");
    }

    #[test]
    fn a_credential_in_the_wrong_place_is_not_printed() {
        for (key, value) in [
            ("base_url", "https://user:canary@host/v1"),
            ("base_url", "https://host/v1?key=canary"),
            ("base_url", "user:canary@host"),
            ("api_key_env", "sk-canary"),
        ] {
            let found = problems(&format!("[providers.openai]\n{key} = \"{value}\"\n"));
            assert!(!format!("{found:?}").contains("canary"), "{found:?}");
        }
    }

    #[test]
    fn a_provider_speaks_the_dialect_of_its_name_unless_told_otherwise() {
        let text = "[providers.azure]\nbase_url = \"https://mine.openai.azure.com\"\n\
                    [providers.mine]\nbase_url = \"http://a\"\n\
                    [providers.tei]\ndialect = \"vllm\"\n";
        let config = Config::read("larder.toml", text, &[]).unwrap();
        let dialect = |name: &str| config.providers[name].dialect.clone();
        assert_eq!(
            [dialect("azure"), dialect("mine"), dialect("tei")],
            ["azure", "openai", "vllm"]
        );
    }

    #[test]
    fn a_flag_stands_above_the_file() {
        let over = Override {
            key: "server.listen".to_owned(),
            text: "127.0.0.1:9".to_owned(),
            place: "--listen".to_owned(),
        };
        let file = "[server]\nlisten = \"127.0.0.1:8\"\n";
        let config = Config::read("larder.toml", file, &[over]).unwrap();
        assert_eq!(config.server.listen.port(), 9);
    }

    #[test]
    fn an_admin_listener_off_loopback_is_refused() {
        let found = problems("[server]\nadmin_listen = \"0.0.0.0:5274\"\n");
        assert!(found[0].contains("needs server.admin_token"), "{found:?}");
    }
}
