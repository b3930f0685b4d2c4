//! Endpoints of a provider that lie beside the base path of its `OpenAI`-shaped ones.
//!
//! A provider's SDK has its base URL at the host and calls all of them. larder's base URL ends where the
//! `OpenAI` SDK expects it. Each row is held by `tests/golden/endpoints`, or names its source.

/// The places of a provider's endpoints.
#[derive(Debug)]
pub struct Layout {
    /// The base paths that the rows of `beside` are relative to.
    homes: &'static [&'static str],
    /// Segments of such a base path that clients may repeat.
    repeated: &'static [&'static str],
    /// Paths below the base URL, without a version, and the base path that they have instead.
    beside: &'static [(&'static str, &'static str)],
}

const NONE: Layout = Layout { homes: &["/v1"], repeated: &[], beside: &[] };

/// Its SDK has the host as its base URL (`cohere` 7.3): `/v1`, `/v2` and
/// `/compatibility`.
static COHERE: Layout =
    Layout { homes: &["/v1", "/v2"], beside: &[("/compatibility", "")], ..NONE };

/// `/compatible-mode/v1` for `OpenAI`'s shapes, `/api/v1` for its own (Model Studio API reference).
static DASHSCOPE: Layout =
    Layout { homes: &["/compatible-mode/v1"], beside: &[("/api", "")], ..NONE };

/// `/v1/openai` for `OpenAI`'s shapes, `/v1/inference/MODEL` for its own, `/anthropic` for Anthropic's
/// (`DeepInfra` API reference; `@ai-sdk/deepinfra`, which appends `/openai` and `/inference`).
static DEEPINFRA: Layout = Layout {
    homes: &["/v1/openai"],
    repeated: &["v1", "openai"],
    beside: &[("/inference", "/v1"), ("/anthropic", ""), ("/deploy", ""), ("/me", "/v1")],
};

/// `/inference/v1` for models, `/v1/accounts` for everything else (`fireworks-ai` 1.2).
static FIREWORKS: Layout =
    Layout { homes: &["/inference/v1"], beside: &[("/accounts", "/v1")], ..NONE };

/// Uploads, downloads and `WebSockets` stand before the version (`google-genai` 3.6).
static GEMINI: Layout = Layout {
    homes: &["/v1beta", "/v1"],
    beside: &[("/download", ""), ("/upload", ""), ("/ws", "")],
    ..NONE
};

/// The server's own endpoints (llama.cpp, tools/server README).
static LLAMACPP: Layout = Layout {
    beside: &[
        ("/apply-template", ""),
        ("/completion", ""),
        ("/detokenize", ""),
        ("/embedding", ""),
        ("/health", ""),
        ("/infill", ""),
        ("/lora-adapters", ""),
        ("/metrics", ""),
        ("/props", ""),
        ("/slots", ""),
        ("/tokenize", ""),
    ],
    ..NONE
};

/// `/api` for the server's own shapes (LM Studio REST API; `ollama` 0.6).
static OWN_API: Layout = Layout { beside: &[("/api", "")], ..NONE };

/// The server's own endpoints (text-embeddings-inference, router/src/http/server.rs).
static TEI: Layout = Layout {
    beside: &[
        ("/decode", ""),
        ("/embed", ""),
        ("/embed_all", ""),
        ("/embed_sparse", ""),
        ("/health", ""),
        ("/info", ""),
        ("/invocations", ""),
        ("/metrics", ""),
        ("/ping", ""),
        ("/predict", ""),
        ("/rerank", ""),
        ("/similarity", ""),
        ("/tokenize", ""),
    ],
    ..NONE
};

/// The server's own endpoints (vLLM, "OpenAI-Compatible Server").
static VLLM: Layout = Layout {
    beside: &[
        ("/classify", ""),
        ("/detokenize", ""),
        ("/health", ""),
        ("/invocations", ""),
        ("/is_sleeping", ""),
        ("/load", ""),
        ("/metrics", ""),
        ("/ping", ""),
        ("/pooling", ""),
        ("/reset_prefix_cache", ""),
        ("/server_info", ""),
        ("/sleep", ""),
        ("/tokenize", ""),
        ("/tokenizer_info", ""),
        ("/version", ""),
        ("/wake_up", ""),
    ],
    ..NONE
};

/// The layout of a dialect's provider, where it has endpoints beside its base path.
pub(super) fn of(dialect: &str) -> Option<&'static Layout> {
    Some(match dialect {
        "cohere" => &COHERE,
        "dashscope" => &DASHSCOPE,
        "deepinfra" => &DEEPINFRA,
        "fireworks" => &FIREWORKS,
        "gemini" => &GEMINI,
        "llamacpp" => &LLAMACPP,
        "lmstudio" | "ollama" => &OWN_API,
        "tei" => &TEI,
        "vllm" => &VLLM,
        _ => return None,
    })
}

impl Layout {
    /// The base path of an endpoint that lies beside `base_path`; `None` for one below it, or where the base
    /// URL is not the provider's usual one.
    pub fn beside(&self, base_path: &str, below: &str) -> Option<String> {
        let root = self.homes.iter().find_map(|home| base_path.strip_suffix(home))?;
        let is_at = |first: &str| {
            let rest = below.strip_prefix(first);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', ':']))
        };
        let (_, place) = self.beside.iter().find(|(first, _)| is_at(first))?;
        Some(format!("{root}{place}"))
    }

    /// The segments of a base path that clients may repeat, where it is the provider's usual one.
    pub fn repeated(&self, base_path: &str) -> &'static [&'static str] {
        let is_usual = self.homes.iter().any(|home| base_path.ends_with(home));
        if is_usual { self.repeated } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn an_endpoint_beside_the_base_path_is_found_below_a_gateway_too() {
        for (dialect, base, below, place) in [
            ("fireworks", "/inference/v1", "/accounts/a/models", Some("/v1")),
            ("fireworks", "/team/inference/v1", "/accounts", Some("/team/v1")),
            ("fireworks", "/inference/v1", "/accountsx", None),
            ("fireworks", "/inference/v1", "/chat/completions", None),
            ("fireworks", "", "/accounts", None),
            ("deepinfra", "/v1/openai", "/inference/m?x", Some("/v1")),
            ("vllm", "/v1", "/tokenize", Some("")),
            ("vllm", "/v1", "/rerank", None),
        ] {
            let found = of(dialect).unwrap().beside(base, below);
            assert_eq!(found.as_deref(), place, "{dialect} {base} {below}");
        }
        assert!(of("openai").is_none());
    }
}
