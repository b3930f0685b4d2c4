//! Which variable each SDK reads its base URL from, and what it is to say.
//!
//! The one list of them. The status page shows those of the SDKs that most people have; a test holds
//! them equal.

use std::env;
use std::fmt;
use std::net::SocketAddr;

use crate::config::{Config, Override, Server};

/// A variable that SDKs read.
#[derive(Debug)]
struct Variable {
    name: &'static str,
    /// Whom it leads to; empty is the default provider.
    provider: &'static str,
    /// What of the provider's paths the SDKs that read it leave to it.
    below: &'static str,
}

impl Variable {
    const fn of(name: &'static str, provider: &'static str, below: &'static str) -> Self {
        Self { name, provider, below }
    }
}

/// Those of Bedrock are not among them: what AWS signs includes the host, and would be refused.
const VARIABLES: &[Variable] = &[
    Variable::of("OPENAI_BASE_URL", "", "/v1"),
    // LlamaIndex, LangChain, mem0.
    Variable::of("OPENAI_API_BASE", "", "/v1"),
    Variable::of("ANTHROPIC_BASE_URL", "anthropic", ""),
    // LangChain.
    Variable::of("ANTHROPIC_API_URL", "anthropic", ""),
    Variable::of("ANTHROPIC_FOUNDRY_BASE_URL", "foundry", ""),
    Variable::of("ANTHROPIC_VERTEX_BASE_URL", "vertex", "/v1"),
    Variable::of("AZURE_OPENAI_ENDPOINT", "azure", ""),
    Variable::of("CO_API_URL", "cohere", ""),
    Variable::of("FIREWORKS_BASE_URL", "fireworks", ""),
    Variable::of("GOOGLE_GEMINI_BASE_URL", "gemini", ""),
    Variable::of("GOOGLE_VERTEX_BASE_URL", "vertex", ""),
    Variable::of("GROQ_BASE_URL", "groq", ""),
    // LangChain.
    Variable::of("MISTRAL_BASE_URL", "mistral", "/v1"),
    // pydantic-ai.
    Variable::of("OLLAMA_BASE_URL", "ollama", "/v1"),
    // The Ollama server reads it too, as where to listen.
    Variable::of("OLLAMA_HOST", "ollama", ""),
    Variable::of("TOGETHER_BASE_URL", "together", ""),
];

/// What an environment says of providers before larder stands between.
#[derive(Debug, Default)]
pub(super) struct Standing(Vec<(&'static Variable, String)>);

impl Standing {
    /// Of this process. What leads to larder itself is no provider.
    pub(super) fn of(server: &Server) -> Self {
        let own = server.listen.to_string();
        let said = |variable: &'static Variable| {
            let value = env::var(variable.name).ok()?.trim().trim_end_matches('/').to_owned();
            let elsewhere = !value.is_empty() && authority(&value) != own;
            elsewhere.then(|| (variable, as_url(variable, value)))
        };
        Self(VARIABLES.iter().filter_map(said).collect())
    }

    /// Its providers as settings. Two variables that lead to different places cannot both be kept.
    pub(super) fn settings(&self, default: &str) -> Result<Vec<Override>, String> {
        let mut settings: Vec<Override> = Vec::new();
        for (variable, value) in &self.0 {
            let provider = if variable.provider.is_empty() { default } else { variable.provider };
            let key = format!("providers.{provider}.base_url");
            let text = base(variable, value).to_owned();
            match settings.iter().find(|setting| setting.key == key) {
                None => settings.push(Override { key, text, place: variable.name.to_owned() }),
                Some(other) if other.text != text => {
                    let (one, two) = (&other.place, variable.name);
                    return Err(format!(
                        "{one} and {two} lead to different places: unset one, or set {key}"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(settings)
    }

    /// Whether a variable has been without what it usually leaves out of the paths.
    fn is_bare(&self, variable: &Variable) -> bool {
        let said = self.0.iter().find(|(standing, _)| standing.name == variable.name);
        said.is_some_and(|(variable, value)| !value.ends_with(variable.below))
    }
}

/// The names of the variables; a value may hold a credential.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|(variable, _)| variable.name).collect();
        f.write_str(&names.join(", "))
    }
}

/// The variables as they lead to a proxy, as far as there are providers for them.
pub(super) fn leading(
    config: &Config,
    proxy: &str,
    standing: &Standing,
) -> Vec<(&'static str, String)> {
    let known = |variable: &&Variable| {
        variable.provider.is_empty() || config.providers.contains_key(variable.provider)
    };
    let lead = |variable: &'static Variable| {
        let provider = if variable.provider.is_empty() { "" } else { "/" };
        let below = if standing.is_bare(variable) { "" } else { variable.below };
        (variable.name, format!("{proxy}{provider}{}{below}", variable.provider))
    };
    let mut variables: Vec<_> = VARIABLES.iter().filter(known).map(lead).collect();
    variables.extend(around_proxies());
    variables
}

/// Behind a corporate proxy, loopback must not be asked for there.
fn around_proxies() -> Vec<(&'static str, String)> {
    const PROXIES: [&str; 6] =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    if !PROXIES.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty())) {
        return Vec::new();
    }
    let before = ["no_proxy", "NO_PROXY"].into_iter().filter_map(|name| env::var(name).ok());
    let mut all: Vec<String> = before.filter(|hosts| !hosts.is_empty()).take(1).collect();
    all.extend(["127.0.0.1", "localhost"].map(str::to_owned));
    // Some read one, some the other.
    ["NO_PROXY", "no_proxy"].map(|name| (name, all.join(","))).to_vec()
}

/// Where a client of this machine finds a proxy that says it is at this URL; nothing if that is no
/// URL of a listener.
pub(super) fn reachable(url: &str) -> Option<String> {
    let (scheme, address) = url.split_once("://")?;
    let mut address: SocketAddr = address.parse().ok()?;
    if address.ip().is_unspecified() {
        // Every address of the machine: also this one.
        let loopback =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() };
        address.set_ip(loopback);
    }
    matches!(scheme, "http" | "https").then(|| format!("{scheme}://{address}"))
}

/// The host and the port of a URL.
fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().replace("localhost:", "127.0.0.1:")
}

/// What a variable says as a URL: Ollama's may be a host.
fn as_url(variable: &Variable, value: String) -> String {
    if variable.name != "OLLAMA_HOST" || value.contains("://") {
        return value;
    }
    let port = if value.contains(':') { "" } else { ":11434" };
    format!("http://{value}{port}")
}

/// The provider's base URL in a variable's value. Where all variables of a provider leave the version to
/// it, it stays, as it would be written in a file; otherwise it belongs to the paths.
fn base<'v>(variable: &Variable, value: &'v str) -> &'v str {
    let mut same = VARIABLES.iter().filter(|other| other.provider == variable.provider);
    if same.all(|other| !other.below.is_empty()) {
        return value;
    }
    value.strip_suffix(variable.below).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(said: &[(&str, &str)]) -> Standing {
        let find = |name: &str| VARIABLES.iter().find(|variable| variable.name == name).unwrap();
        let said = said.iter().map(|(name, value)| (find(name), (*value).to_owned()));
        Standing(said.map(|(variable, value)| (variable, as_url(variable, value))).collect())
    }

    #[test]
    fn what_stands_in_the_environment_becomes_the_provider() {
        let settings = |said: &[(&str, &str)]| {
            let settings = standing(said).settings("openai")?;
            Ok::<_, String>(settings.into_iter().map(|one| (one.key, one.text)).collect::<Vec<_>>())
        };
        let is = |key: &str, text: &str| {
            Ok(vec![(format!("providers.{key}.base_url"), text.to_owned())])
        };
        assert_eq!(settings(&[("OPENAI_BASE_URL", "http://a/v1")]), is("openai", "http://a/v1"));
        assert_eq!(settings(&[("OLLAMA_BASE_URL", "http://a/v1")]), is("ollama", "http://a"));
        assert_eq!(settings(&[("OLLAMA_HOST", "a")]), is("ollama", "http://a:11434"));
        assert_eq!(settings(&[("OLLAMA_HOST", "a:5")]), is("ollama", "http://a:5"));
        let both = [("OLLAMA_HOST", "a:5"), ("OLLAMA_BASE_URL", "http://a:5/v1")];
        assert_eq!(settings(&both), is("ollama", "http://a:5"));
        let two = [("OPENAI_BASE_URL", "http://a/v1"), ("OPENAI_API_BASE", "http://b/v1")];
        let refused = settings(&two).unwrap_err();
        assert!(refused.contains("OPENAI_BASE_URL and OPENAI_API_BASE"), "{refused}");
    }

    #[test]
    fn a_variable_keeps_its_version_or_its_lack_of_one() {
        let config = Config::read("none", "", &[]).unwrap();
        let openai = |said: &[(&str, &str)]| {
            let variables = leading(&config, "http://l:1", &standing(said));
            variables.into_iter().find(|(name, _)| *name == "OPENAI_BASE_URL").unwrap().1
        };
        assert_eq!(openai(&[]), "http://l:1/v1");
        assert_eq!(openai(&[("OPENAI_BASE_URL", "http://a/v1")]), "http://l:1/v1");
        assert_eq!(openai(&[("OPENAI_BASE_URL", "http://a/openai")]), "http://l:1");
    }

    #[test]
    fn a_url_s_authority_is_told_from_its_beginning() {
        for url in ["http://127.0.0.1:5/v1", "127.0.0.1:5", "https://localhost:5"] {
            assert_eq!(authority(url), "127.0.0.1:5");
        }
        assert_ne!(authority("http://127.0.0.1:52/v1"), "127.0.0.1:5");
    }

    #[test]
    fn only_a_listener_s_url_is_handed_on() {
        assert_eq!(reachable("http://0.0.0.0:5").unwrap(), "http://127.0.0.1:5");
        assert_eq!(reachable("https://[::]:5").unwrap(), "https://[::1]:5");
        assert_eq!(reachable("http://10.0.0.1:5").unwrap(), "http://10.0.0.1:5");
        for url in ["http://$(x):5", "ftp://127.0.0.1:5", "127.0.0.1:5", ""] {
            assert_eq!(reachable(url), None, "{url}");
        }
    }
}
