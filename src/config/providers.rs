//! Those of the file, and those built in, each under its own section name.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::read::{Reader, Section, Table};
use super::{BUILT_IN, DIALECTS, Provider, Server, stores, table};

pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &DeTable<'_>,
    server: &Server,
) -> BTreeMap<String, Provider> {
    let written = table(root, "providers").keys;
    let mut named = named(reader, written);
    let built_in = BUILT_IN.iter().map(|built_in| built_in.name.to_owned());
    let all: BTreeSet<String> = named.iter().cloned().chain(built_in).collect();
    named.insert(server.default_provider.clone());
    let provider = |name: String| {
        let mut provider = read_one(reader, written, &name);
        if server.eager && named.contains(&name) {
            // Where none is kept while it is not used, there is none to open.
            let one = provider.idle_connections.min(1);
            provider.warm_connections = provider.warm_connections.max(one);
        }
        (name, provider)
    };
    all.into_iter().map(provider).collect()
}

/// Those that somebody means to use: most of those built in are not called.
fn named(reader: &mut Reader<'_>, written: Option<&DeTable<'_>>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = reader.overridden("providers").into_iter().collect();
    for (name, value) in written.into_iter().flatten() {
        if !value.get_ref().is_table() {
            let message = "is a provider: write it as [providers.NAME]".to_owned();
            reader.note(name.span(), format!("providers.{}", name.get_ref()), message);
        }
        names.insert(name.get_ref().to_string());
    }
    names
}

fn read_one(reader: &mut Reader<'_>, written: Option<&DeTable<'_>>, name: &str) -> Provider {
    let keys = written.and_then(|all| all.get(name)?.get_ref().as_table());
    let section = Table { name: format!("providers.{name}"), keys };
    let plain = keys.map(|keys| without(keys, "routes"));
    let plain = Table { name: section.name.clone(), keys: plain.as_ref() };
    let mut provider = Provider::read(reader, &plain);
    provider.routes = stores::read(reader, &section);
    if let Some(built_in) = BUILT_IN.iter().find(|built_in| built_in.name == name) {
        fill(&mut provider.base_url, built_in.base_url);
        fill(&mut provider.dialect, built_in.dialect);
    }
    // A provider that is called as a dialect is most likely speaks it.
    let alike = DIALECTS.iter().find(|known| **known == name);
    fill(&mut provider.dialect, alike.unwrap_or(&"openai"));
    provider
}

/// A section without a key that is no text.
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
