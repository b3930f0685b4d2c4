//! Providers by the names that OpenTelemetry's conventions for generative AI have for them.

/// The name of a configured provider there; its own where it has no other.
pub fn provider(name: &str) -> String {
    let known = match name {
        "azure" => "azure.ai.openai",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        own => own,
    };
    known.to_owned()
}
