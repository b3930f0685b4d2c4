//! Origins of web pages: scheme, host and port, as browsers send them (RFC 6454, section 6.2).

use http::Uri;
use serde_json::{Value, json};

use super::setting::list_of;
use super::units::Setting;

/// An origin, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Its text, as a browser sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        // The colons of an IPv6 address stand in brackets.
        match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => host,
            _ => rest,
        }
    }

    /// Reads an origin. The error says what was expected.
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            Err(format!("expected an origin such as \"https://app.example\" {why}, got {text:?}"))
        };
        let lower = text.to_ascii_lowercase();
        let Some((scheme, rest)) = lower.split_once("://") else {
            // Any page can have the origin "null" (a sandboxed frame); "*" would be every page.
            return wrong("(a scheme, ://, a host, and a port if it is not the default one)");
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if scheme.is_empty() || !scheme.chars().all(is_plain) || rest.contains('*') {
            return wrong("without wildcards");
        }
        // Applications have schemes of their own (tauri, app), with the same form.
        let uri: Result<Uri, _> = format!("http://{rest}").parse();
        let is_host = |uri: &Uri| {
            uri.authority().is_some_and(|authority| authority == rest && !rest.contains('@'))
        };
        if !uri.is_ok_and(|uri| is_host(&uri)) {
            return wrong("without a path");
        }
        let default = [("http", ":80"), ("https", ":443")];
        if default.iter().any(|(name, port)| *name == scheme && rest.ends_with(port)) {
            return wrong("without the default port, which browsers leave out");
        }
        Ok(Self(lower))
    }
}

impl Setting for Vec<Origin> {
    const KIND: &'static str = "list of origins";

    fn parse(text: &str) -> Result<Self, String> {
        Vec::<String>::parse(text)?.iter().map(|origin| Origin::parse(origin)).collect()
    }

    fn schema() -> Value {
        let item = json!({ "type": "string", "pattern": "^[A-Za-z0-9+.-]+://[^/*]+$" });
        list_of(&item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for (text, host) in [
            ("https://app.example", "app.example"),
            ("http://LOCALHOST:3000", "localhost"),
            ("http://[::1]:3000", "[::1]"),
            ("http://[::1]", "[::1]"),
            ("tauri://localhost", "localhost"),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!((origin.as_str(), origin.host()), (&*text.to_lowercase(), host));
        }
        for wrong in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https://*.example",
            "https://a.example/",
            "https://a.example/path",
            "https://a.example:443",
            "http://a.example:80",
            "https://user@a.example",
        ] {
            assert!(Origin::parse(wrong).is_err(), "{wrong}");
        }
    }
}
