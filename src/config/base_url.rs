//! The form of a base URL.

/// An error says what is wrong with a URL.
pub(super) fn check(url: &str) -> Result<(), String> {
    // A URL with a credential is not repeated.
    let shown = if url.contains(['@', '?']) { "the value" } else { url };
    let uri: http::Uri = url.parse().map_err(|_| format!("{shown} is not a URL"))?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.query().is_none() && !uri.authority().is_some_and(|a| a.as_str().contains('@'));
    if scheme && plain && uri.host().is_some() {
        return Ok(());
    }
    let form = "http(s)://HOST[:PORT][/PATH], without credentials or query";
    Err(format!("must be {form}; {shown} is not"))
}
