//! Environment variables: one for every key, named `LARDER_` and the key's path in capitals.
//!
//! `providers.NAME.KEY` is ambiguous where names have underscores. Known names come first, the longest
//! that fits; otherwise the end of the variable must be a known key, and the rest is a new name.

use super::nearest::nearest_variable;
use super::otel::{self, Otel};
use super::read::{Override, Problem};
use super::{BUILT_IN, Key, Provider, Section, reference};

/// The beginning of the name of every variable.
pub(super) const PREFIX: &str = "LARDER_";

/// The beginning of the variables of providers.
pub(super) const PROVIDERS: &str = "LARDER_PROVIDERS_";

/// Short variables: those of the flags, with the keys that they set.
pub const SHORT: [(&str, &str); 14] = [
    ("server.listen", "LARDER_LISTEN"),
    ("server.unix_socket", "LARDER_UNIX_SOCKET"),
    ("server.admin_listen", "LARDER_ADMIN_LISTEN"),
    ("server.admin_token", "LARDER_ADMIN_TOKEN"),
    ("server.mode", "LARDER_MODE"),
    ("server.recordings", "LARDER_RECORDINGS"),
    ("disk.dir", "LARDER_CACHE_DIR"),
    ("cache.secret", "LARDER_SECRET"),
    ("access.auth", "LARDER_AUTH"),
    ("access.keys_file", "LARDER_KEYS_FILE"),
    ("access.keys", "LARDER_KEYS"),
    ("redis.url", "LARDER_REDIS"),
    ("log.format", "LARDER_LOG_FORMAT"),
    ("log.level", "LARDER_LOG_LEVEL"),
];

/// Variables of flags that are no keys of the configuration.
const OTHERS: [&str; 5] = [
    "LARDER_CONFIG",
    "LARDER_DIALECT",
    "LARDER_SIMULATE_LISTEN",
    "LARDER_UPGRADE",
    "LARDER_UPSTREAM",
];

/// Variables of larder's build and tests. They are never suggested.
const INTERNAL: [&str; 4] =
    ["LARDER_BIN", "LARDER_GOLDEN", "LARDER_MODEL_SCHEDULES", "LARDER_REVISION"];

/// The beginnings of variables of larder's own tests.
const TESTS: [&str; 4] = ["LARDER_BENCH_", "LARDER_FUZZ_", "LARDER_SOAK_", "LARDER_TEST_"];

/// The variable of a key such as `server.listen`.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", capitals(key))
}

pub(super) fn capitals(text: &str) -> String {
    text.to_uppercase().replace(['.', '-'], "_")
}

/// The variables of a process that larder reads: its own, and those of `OpenTelemetry`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    own: Vec<(String, String)>,
    otel: Vec<(String, String)>,
}

impl Environment {
    /// The variables that are larder's, out of all. An empty variable counts as not set.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let (mut own, mut otel) = (Vec::new(), Vec::new());
        for (name, value) in variables.into_iter().filter(|(_, value)| !value.is_empty()) {
            if name.starts_with(PREFIX) {
                own.push((name, value));
            } else if name.starts_with(otel::PREFIX) {
                otel.push((name, value));
            }
        }
        own.sort();
        Self { own, otel }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.own.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Values of the `OTEL_*` variables for keys that nothing else sets. `is_with_endpoint`: something else
    /// names a collector.
    pub fn otel(&self, is_with_endpoint: bool) -> Otel {
        otel::read(&self.otel, is_with_endpoint)
    }

    /// The keys outside of providers that long variables set.
    pub fn plain(&self) -> Vec<Override> {
        let set = |(key, _): (String, &Key)| {
            let place = variable(&key);
            let text = self.get(&place)?.to_owned();
            Some(Override { key, text, place })
        };
        keys().filter_map(set).collect()
    }

    /// The keys of providers that variables set, given the names known so far. Two names that are spelt
    /// alike in capitals are an error.
    pub fn of_providers(&self, names: &[String]) -> (Vec<Override>, Vec<Problem>) {
        let (mut overrides, mut problems) = (Vec::new(), Vec::new());
        for (name, value) in &self.own {
            match provider_key(name, names) {
                Ok(None) => {}
                Ok(Some(key)) => {
                    let (text, place) = (value.clone(), name.clone());
                    overrides.push(Override { key, text, place });
                }
                Err((one, two)) => problems.push(Problem {
                    place: name.clone(),
                    key: format!("providers.{one}"),
                    message: format!(
                        "the variable may be of {one:?} or of {two:?}; set the key in the file"
                    ),
                }),
            }
        }
        (overrides, problems)
    }

    /// Warnings about variables that larder does not know, with the nearest that it knows. `keys_of` are
    /// the variables that hold keys of providers.
    pub fn unknown(&self, names: &[String], keys_of: &[&str]) -> Vec<String> {
        let known: Vec<String> = keys()
            .map(|(key, _)| variable(&key))
            .chain(SHORT.iter().map(|(_, short)| (*short).to_owned()))
            .chain(OTHERS.map(str::to_owned))
            .chain(names.iter().flat_map(|name| {
                Provider::KEYS.iter().map(move |key| variable(&of_provider(name, key)))
            }))
            .collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let is_known = |name: &str| {
            known.contains(&name)
                || keys_of.contains(&name)
                || INTERNAL.contains(&name)
                || TESTS.iter().any(|prefix| name.starts_with(prefix))
                || is_of_kubernetes(name)
                || matches!(provider_key(name, names), Ok(Some(_)) | Err(_))
        };
        let unknown = self.own.iter().filter(|(name, _)| !is_known(name));
        let warning = |(name, _): &(String, String)| match nearest_variable(name, &known) {
            Some(near) => format!("{name}: unknown variable; did you mean {near}?"),
            None => format!("{name}: unknown variable; `larder config --reference` lists all"),
        };
        unknown.map(warning).collect()
    }
}

/// Every key outside of providers that has a variable.
fn keys() -> impl Iterator<Item = (String, &'static Key)> {
    let sections = reference::sections().into_iter();
    let plain = sections.filter(|section| !section.is_list() && !section.is_provider());
    plain.flat_map(|section| {
        section.keys.iter().map(move |key| (format!("{}.{}", section.name, key.name), key))
    })
}

fn of_provider(name: &str, key: &Key) -> String {
    format!("providers.{name}.{}", key.name)
}

/// The keys of providers that have a text form, those with the longest names first.
pub(super) fn provider_keys() -> Vec<&'static Key> {
    let mut keys: Vec<&Key> = Provider::KEYS.iter().filter(|key| has_variable(key)).collect();
    keys.sort_by_key(|key| std::cmp::Reverse(key.name.len()));
    keys
}

/// Whether a key has a variable. Lists of tables have no text form.
pub(super) fn has_variable(key: &Key) -> bool {
    key.kind != "list of routes"
}

/// The key of a provider that a variable sets; two names if it may be of both.
fn provider_key(variable: &str, names: &[String]) -> Result<Option<String>, (String, String)> {
    let Some(rest) = variable.strip_prefix(PROVIDERS) else { return Ok(None) };
    let built_in = BUILT_IN.iter().map(|built_in| built_in.name);
    let mut found: Vec<(&str, &Key)> = Vec::new();
    for name in names.iter().map(String::as_str).chain(built_in) {
        let key = rest.strip_prefix(&capitals(name)).and_then(|rest| rest.strip_prefix('_'));
        let key = key.and_then(|key| provider_keys().into_iter().find(|k| capitals(k.name) == key));
        if let Some(key) = key.filter(|_| !found.iter().any(|(other, _)| *other == name)) {
            found.push((name, key));
        }
    }
    let longest = found.iter().map(|(name, _)| name.len()).max();
    let mut longest = found.iter().filter(|(name, _)| Some(name.len()) == longest);
    match (longest.next(), longest.next()) {
        (Some((one, _)), Some((two, _))) => Err(((*one).to_owned(), (*two).to_owned())),
        (Some((name, key)), None) => Ok(Some(of_provider(name, key))),
        (None, _) => Ok(provider_keys().into_iter().find_map(|key| {
            let name = rest.strip_suffix(&capitals(key.name))?.strip_suffix('_')?;
            let name = name.to_lowercase();
            name.starts_with(|c: char| c.is_ascii_alphanumeric()).then(|| of_provider(&name, key))
        })),
    }
}

/// Whether Kubernetes sets a variable, in each container, for a Service whose name begins with `larder`.
fn is_of_kubernetes(name: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.ends_with("_PORT")
    {
        return true;
    }
    let Some((_, rest)) = name.split_once("_PORT_") else { return false };
    let mut parts = rest.split('_');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    parts.next().is_some_and(is_number)
        && parts.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment::of(variables.iter().map(owned))
    }

    #[test]
    fn every_plain_key_has_a_variable() {
        let set =
            environment(&[("LARDER_CACHE_MEMORY", "1GiB"), ("HOME", "/"), ("LARDER_LOG", "x")]);
        let plain: Vec<_> = set.plain().into_iter().map(|over| (over.key, over.text)).collect();
        assert_eq!(plain, [("cache.memory".to_owned(), "1GiB".to_owned())]);
        assert_eq!(variable("server.admin_listen"), "LARDER_SERVER_ADMIN_LISTEN");
        assert!(environment(&[("LARDER_CACHE_MEMORY", "")]).plain().is_empty());
    }

    #[test]
    fn a_provider_is_found_by_its_longest_known_name_or_by_a_known_key() {
        let names = ["mine", "mine-max", "a.b", "x_y", "x-y"].map(str::to_owned);
        let key = |variable: &str| provider_key(variable, &names).unwrap();
        for (variable, right) in [
            ("LARDER_PROVIDERS_OPENAI_BASE_URL", "providers.openai.base_url"),
            ("LARDER_PROVIDERS_MINE_MAX_CONNECTIONS", "providers.mine.max_connections"),
            ("LARDER_PROVIDERS_MINE_MAX_BASE_URL", "providers.mine-max.base_url"),
            ("LARDER_PROVIDERS_A_B_MAX_INPUTS", "providers.a.b.max_inputs"),
            ("LARDER_PROVIDERS_NEW_ONE_BASE_URL", "providers.new_one.base_url"),
        ] {
            assert_eq!(key(variable).as_deref(), Some(right), "{variable}");
        }
        for none in ["LARDER_PROVIDERS_OPENAI", "LARDER_PROVIDERS_OPENAI_BASE", "LARDER_LISTEN"] {
            assert_eq!(key(none), None, "{none}");
        }
        assert!(provider_key("LARDER_PROVIDERS_X_Y_DIALECT", &names).is_err());
    }

    #[test]
    fn an_unknown_variable_is_a_warning_and_those_of_kubernetes_are_not_unknown() {
        let known = environment(&[
            ("LARDER_SERVICE_HOST", "10.0.0.1"),
            ("LARDER_SERVICE_PORT_PROXY", "5273"),
            ("LARDER_PORT", "tcp://10.0.0.1:5273"),
            ("LARDER_PORT_5273_TCP_ADDR", "10.0.0.1"),
            ("LARDER_REDIS_PORT_6379_TCP", "tcp://10.0.0.1:6379"),
            ("LARDER_CONFIG", "x"),
            ("LARDER_MY_KEY", "canary"),
            ("LARDER_FUZZ_SECONDS", "1"),
            ("LARDER_KEYS", "a"),
            ("LARDER_PROVIDERS_COHERE_BASE_URL", "http://a"),
        ]);
        assert_eq!(known.unknown(&[], &["LARDER_MY_KEY"]), Vec::<String>::new());
        for (name, near) in [
            ("LARDER_CACHE_MEMROY", Some("LARDER_CACHE_MEMORY")),
            ("LARDER_LISTN", Some("LARDER_LISTEN")),
            ("LARDER_MEMORY", Some("LARDER_CACHE_MEMORY")),
            ("LARDER_PROVIDERS_MINE_BASE_ULR", Some("LARDER_PROVIDERS_MINE_BASE_URL")),
            ("LARDER_PROVIDERS_OPENAI_MAX_INPUT", Some("LARDER_PROVIDERS_OPENAI_MAX_INPUTS")),
            ("LARDER_PROVIDERS_MINE_COLOUR", None),
            ("LARDER_FOO", None),
            ("LARDER_BINN", None),
        ] {
            let warnings = environment(&[(name, "canary")]).unknown(&[], &["LARDER_MY_KEY"]);
            let rest = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "`larder config --reference` lists all".to_owned(),
            };
            assert_eq!(warnings, [format!("{name}: unknown variable; {rest}")]);
        }
    }
}
