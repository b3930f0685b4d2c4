//! Secrets as types, which print as `***`.

use std::fmt;

use super::setting::Setting;

/// The text that stands in place of a secret.
const REDACTED: &str = "***";

/// A URL that may hold a password. It prints without what stands before its host.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Setting for SecretUrl {
    const KIND: &'static str = "URL";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }

    fn shown(text: &str) -> String {
        let end = text.find('?').unwrap_or(text.len());
        let (url, query) = text.split_at(end);
        let query = if query.is_empty() { "" } else { "?***" };
        match (url.find("://"), url.rfind('@')) {
            (Some(scheme), Some(at)) if scheme < at => {
                let (scheme, _) = url.split_at(scheme);
                let (_, host) = url.split_at(at);
                format!("{scheme}://{REDACTED}{host}{query}")
            }
            (Some(_), None) if is_plain(url) => format!("{url}{query}"),
            _ if text.is_empty() => String::new(),
            _ => REDACTED.to_owned(),
        }
    }
}

/// Whether a URL without `@` has hosts and ports only. A misspelt one may have a password there.
fn is_plain(url: &str) -> bool {
    let hosts = url.split_once("://").map_or("", |(_, rest)| rest);
    let hosts = hosts.split('/').next().unwrap_or_default();
    hosts.split(',').all(|host| {
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "0"));
        let is_address = name.starts_with('[') && name.ends_with(']');
        (is_address || !name.contains(':')) && port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Self::shown(&self.0), f)
    }
}

/// A secret text. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Setting for Secret {
    const KIND: &'static str = "secret";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }

    fn shown(_text: &str) -> String {
        REDACTED.to_owned()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "unset" } else { "***" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::parse("sk-1234").unwrap();
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.expose(), "sk-1234");
    }

    #[test]
    fn a_url_prints_without_its_password() {
        for (url, shown) in [
            ("redis://:canary@db:6379/1", "redis://***@db:6379/1"),
            ("redis://user:can@ry/x@db", "redis://***@db"),
            ("rediss://db?password=canary", "rediss://db?***"),
            ("redis://db", "redis://db"),
            ("redis+cluster://a:1,[::1]:2/3", "redis+cluster://a:1,[::1]:2/3"),
            ("redis://user:canary%40db:6379", "***"),
            ("redis://:canary/1", "***"),
            ("canary@db", "***"),
            ("", ""),
        ] {
            assert_eq!(SecretUrl::shown(url), shown);
        }
    }
}
