//! The company that bills the calls to a provider.

/// The hosts of each seller, as suffixes of host names. Sellers are the sections of the price file.
const HOSTS: &[(&str, &str)] = &[
    ("anthropic", "anthropic.com"),
    ("azure", "openai.azure.com"),
    ("azure", "cognitiveservices.azure.com"),
    ("azure", "services.ai.azure.com"),
    ("cerebras", "cerebras.ai"),
    ("cohere", "cohere.com"),
    ("cohere", "cohere.ai"),
    ("dashscope", "aliyuncs.com"),
    ("deepinfra", "deepinfra.com"),
    ("deepseek", "deepseek.com"),
    ("fireworks", "fireworks.ai"),
    ("gemini", "generativelanguage.googleapis.com"),
    ("groq", "groq.com"),
    ("jina", "jina.ai"),
    ("mistral", "mistral.ai"),
    ("moonshot", "moonshot.ai"),
    ("moonshot", "moonshot.cn"),
    ("openai", "openai.com"),
    ("openrouter", "openrouter.ai"),
    ("perplexity", "perplexity.ai"),
    ("together", "together.ai"),
    ("together", "together.xyz"),
    ("voyage", "voyageai.com"),
    ("xai", "x.ai"),
];

/// Other names of sellers, as prefixes of model names have them.
const ALIASES: &[(&str, &str)] = &[
    ("azure_ai", "azure"),
    ("cohere_chat", "cohere"),
    ("fireworks_ai", "fireworks"),
    ("google", "gemini"),
    ("jina_ai", "jina"),
    ("mistralai", "mistral"),
    ("moonshotai", "moonshot"),
    ("together_ai", "together"),
    ("x-ai", "xai"),
];

/// A seller, and whether it is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seller {
    /// Its section in the price file; empty if it is unknown.
    pub(super) name: &'static str,
    /// Whether the host is the seller's own. Behind another host, such as a gateway's, the prefix of a
    /// model's name may name another seller.
    pub(super) is_certain: bool,
}

impl Seller {
    /// The seller behind a provider: by the host of its base URL, else by its name, else by its dialect.
    pub fn of(provider: &str, dialect: &str, base_url: &str) -> Self {
        let uri = base_url.parse::<http::Uri>().ok();
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default().to_ascii_lowercase();
        let is_at = |suffix: &str| {
            host.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if let Some((name, _)) = HOSTS.iter().find(|(_, suffix)| is_at(suffix)) {
            return Self { name, is_certain: true };
        }
        let name = Self::named(provider).or_else(|| Self::named(dialect)).unwrap_or_default();
        Self { name, is_certain: false }
    }

    /// The section of a seller's name.
    pub(super) fn named(name: &str) -> Option<&'static str> {
        let aliased = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, seller)| *seller);
        aliased.or_else(|| HOSTS.iter().map(|(seller, _)| *seller).find(|seller| *seller == name))
    }
}
