//! What a provider's address may be.

/// What is wrong with one.
pub(super) fn check(url: &str) -> Result<(), String> {
    if url.is_empty() {
        return Err("is missing: this provider is not built in".to_owned());
    }
    // It may hold a credential, which has no place in it, and none in a message either.
    let shown = if url.contains(['@', '?']) { "what is written" } else { url };
    let uri: http::Uri = url.parse().map_err(|_| format!("{shown} is not a URL"))?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.query().is_none() && !uri.authority().is_some_and(|a| a.as_str().contains('@'));
    if scheme && plain && uri.host().is_some() {
        return Ok(());
    }
    let form = "http(s)://HOST[:PORT][/PATH], without credentials or query";
    Err(format!("must be {form}; {shown} is not"))
}
