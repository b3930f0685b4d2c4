//! The providers of the file, of the overrides, and the built-in ones.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::read::{Reader, Section, Table, literal};
use super::{BUILT_IN, DIALECTS, Provider, Server, stores};

pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &DeTable<'_>,
    server: &Server,
) -> BTreeMap<String, Provider> {
    let written = reader.section(root, "providers").keys;
    let mut named = named(reader, written);
    let built_in = BUILT_IN.iter().map(|built_in| built_in.name.to_owned());
    let all: BTreeSet<String> = named.iter().cloned().chain(built_in).collect();
    named.insert(server.default_provider.clone());
    let provider = |name: String| {
        let mut provider = read_one(reader, written, &name);
        if server.eager && named.contains(&name) {
            // Without idle connections there is none to open.
            let one = provider.idle_connections.min(1);
            provider.warm_connections = provider.warm_connections.max(one);
        }
        (name, provider)
    };
    all.into_iter().map(provider).collect()
}

/// The providers that the configuration names: most of the built-in ones are not called.
fn named(reader: &mut Reader<'_>, written: Option<&DeTable<'_>>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = reader.overridden("providers").into_iter().collect();
    for (name, value) in written.into_iter().flatten() {
        if !value.get_ref().is_table() {
            let message = "is a provider; write it as [providers.NAME]".to_owned();
            reader.note(name.span(), format!("providers.{}", name.get_ref()), message);
        }
        let place = reader.place(name.span());
        reader.sources.note(&format!("providers.{}", name.get_ref()), place);
        names.insert(name.get_ref().to_string());
    }
    names
}

fn read_one(reader: &mut Reader<'_>, written: Option<&DeTable<'_>>, name: &str) -> Provider {
    let keys = written.and_then(|all| all.get(name)?.get_ref().as_table());
    let section = Table {
        name: format!("providers.{name}"),
        heading: format!("[providers.{}]", in_heading(name)),
        keys,
    };
    let plain = keys.map(|keys| without(keys, "routes"));
    let plain = Table { keys: plain.as_ref(), ..section.clone() };
    let mut provider = Provider::read(reader, &plain);
    provider.routes = stores::read(reader, &section);
    if let Some(built_in) = BUILT_IN.iter().find(|built_in| built_in.name == name) {
        fill(&mut provider.base_url, built_in.base_url);
        fill(&mut provider.dialect, built_in.dialect);
    }
    // A provider with the name of a dialect most likely speaks it.
    let alike = DIALECTS.iter().find(|known| **known == name);
    fill(&mut provider.dialect, alike.unwrap_or(&"openai"));
    provider
}

/// A name as a heading of TOML has it.
fn in_heading(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_plain = !name.is_empty() && name.chars().all(is_bare);
    if is_plain { name.to_owned() } else { literal(("text", true), name) }
}

/// A section without one of its keys.
fn without<'t>(keys: &DeTable<'t>, key: &str) -> DeTable<'t> {
    let mut keys = keys.clone();
    keys.remove(key);
    keys
}

fn fill(value: &mut String, known: &str) {
    if value.is_empty() {
        known.clone_into(value);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Override};

    fn warm(text: &str, name: &str) -> u32 {
        let over = Override {
            key: "providers.cohere.base_url".to_owned(),
            text: "http://a".to_owned(),
            place: "CO_API_URL".to_owned(),
        };
        Config::read("larder.toml", text, &[over]).unwrap().providers[name].warm_connections
    }

    #[test]
    fn only_who_is_named_is_connected_to_beforehand_and_only_where_that_is_wanted() {
        let eager = "[server]\neager = true\n[providers.voyage]\n\
                     [providers.mine]\nbase_url = \"http://b\"\nwarm_connections = 3\n\
                     [providers.other]\nbase_url = \"http://c\"\nidle_connections = 0\n";
        for (name, connections) in
            [("openai", 1), ("voyage", 1), ("cohere", 1), ("mine", 3), ("other", 0), ("groq", 0)]
        {
            assert_eq!(warm(eager, name), connections, "{name}");
        }
        let lazy = "[providers.mine]\nbase_url = \"http://b\"\nwarm_connections = 3\n";
        for (name, connections) in [("openai", 0), ("cohere", 0), ("mine", 3)] {
            assert_eq!(warm(lazy, name), connections, "{name}");
        }
    }
}
