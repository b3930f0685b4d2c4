//! Where a credential can be tried for next to nothing: a list that a provider shows only to those whom
//! it knows.

/// The path of such a list, below the base URL of a request's path, with the request's query, which may
/// hold the credential; `None` where there is none, or none that is not shown to everybody.
pub(super) fn path(dialect: &str, asked: &str) -> Option<String> {
    let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
    let version = version(path);
    let list = match dialect {
        // Its models are for everybody to see.
        "openrouter" => format!("{version}/key"),
        "cohere" => "/v1/models".to_owned(),
        "gemini" if path.contains("/openai/") => format!("{version}/openai/models"),
        "ollama" if path.starts_with("/api/") => "/api/tags".to_owned(),
        "azure" if path.contains("/deployments/") => "/openai/models".to_owned(),
        "azure" => "/openai/v1/models".to_owned(),
        "anthropic" | "deepseek" | "fireworks" | "gemini" | "groq" | "llamacpp" | "lmstudio"
        | "mistral" | "nim" | "ollama" | "openai" | "together" | "vllm" => {
            format!("{version}/models")
        }
        _ => return None,
    };
    Some(if query.is_empty() { list } else { format!("{list}?{query}") })
}

/// The version that a path begins with, if it does: `/v1`, `/v1beta`.
fn version(path: &str) -> &str {
    let segment =
        path.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let digit = segment.strip_prefix('v').and_then(|rest| rest.chars().next());
    let is_version = digit.is_some_and(|digit| digit.is_ascii_digit());
    if is_version { path.get(..=segment.len()).unwrap_or_default() } else { "" }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_credential_is_tried_beside_where_it_was_used() {
        for (dialect, asked, list) in [
            ("openai", "/embeddings", Some("/models")),
            ("openai", "/v1/embeddings", Some("/v1/models")),
            ("openrouter", "/chat/completions", Some("/key")),
            ("cohere", "/v2/embed", Some("/v1/models")),
            ("gemini", "/v1beta/models/x:embedContent?key=k", Some("/v1beta/models?key=k")),
            ("gemini", "/v1beta/openai/embeddings", Some("/v1beta/openai/models")),
            (
                "azure",
                "/openai/deployments/d/embeddings?api-version=1",
                Some("/openai/models?api-version=1"),
            ),
            ("ollama", "/api/embed", Some("/api/tags")),
            ("voyage", "/embeddings", None),
        ] {
            assert_eq!(path(dialect, asked).as_deref(), list, "{dialect} {asked}");
        }
    }
}
