//! What larder knows without a configuration file.

/// A provider that larder knows without any configuration.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// The first segment of its paths.
    pub name: &'static str,
    /// Its public address.
    pub base_url: &'static str,
    /// Whose wire shapes it speaks.
    pub dialect: &'static str,
}

/// The providers that need no configuration.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn::at("anthropic", "https://api.anthropic.com/v1"),
    BuiltIn::at("cohere", "https://api.cohere.com"),
    BuiltIn::at("deepinfra", "https://api.deepinfra.com/v1/openai"),
    BuiltIn::at("deepseek", "https://api.deepseek.com"),
    BuiltIn::at("fireworks", "https://api.fireworks.ai/inference/v1"),
    BuiltIn::at("gemini", "https://generativelanguage.googleapis.com"),
    BuiltIn::at("groq", "https://api.groq.com/openai/v1"),
    BuiltIn::at("jina", "https://api.jina.ai/v1"),
    BuiltIn::at("mistral", "https://api.mistral.ai/v1"),
    BuiltIn::at("ollama", "http://127.0.0.1:11434"),
    BuiltIn::at("openai", "https://api.openai.com/v1"),
    BuiltIn::at("openrouter", "https://openrouter.ai/api/v1"),
    BuiltIn::at("tei", "http://127.0.0.1:8080"),
    BuiltIn::at("together", "https://api.together.ai/v1"),
    BuiltIn::at("vllm", "http://127.0.0.1:8000/v1"),
    BuiltIn::at("voyage", "https://api.voyageai.com/v1"),
];

impl BuiltIn {
    /// One that is called as its dialect is.
    const fn at(name: &'static str, base_url: &'static str) -> Self {
        Self { name, base_url, dialect: name }
    }
}

/// The dialects that a provider may name; a test holds this equal to `dialect::ALL`.
pub const DIALECTS: &[&str] = &[
    "openai",
    "anthropic",
    "azure",
    "cohere",
    "dashscope",
    "deepinfra",
    "deepseek",
    "fireworks",
    "gemini",
    "generic",
    "groq",
    "infinity",
    "jina",
    "llamacpp",
    "lmstudio",
    "mistral",
    "nim",
    "nomic",
    "ollama",
    "openrouter",
    "tei",
    "together",
    "vllm",
    "voyage",
];

/// Those that ask for a model's words as `OpenAI` does, at the same paths below their base URLs; a test
/// holds this against the shapes.
pub const LIKE_OPENAI: &[&str] = &[
    "openai",
    "dashscope",
    "deepinfra",
    "deepseek",
    "fireworks",
    "groq",
    "llamacpp",
    "lmstudio",
    "mistral",
    "nim",
    "openrouter",
    "together",
    "vllm",
];

/// Whether what is asked of a provider of one dialect may be asked of one of the other.
pub fn speak_alike(one: &str, other: &str) -> bool {
    one == other || [one, other].iter().all(|dialect| LIKE_OPENAI.contains(dialect))
}
