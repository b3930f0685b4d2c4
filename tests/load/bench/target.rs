//! What is measured: a name, a base URL, and perhaps its process.

use http::Uri;

/// One target of a run.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// What it is called in the report.
    pub(crate) name: String,
    /// As an SDK would take it.
    pub(crate) base: Uri,
    /// Its process on this machine.
    pub(crate) pid: Option<u32>,
}

impl Target {
    /// Reads `NAME=URL` or `NAME=URL,pid=N`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("it is not NAME=URL[,pid=N]")?;
        if name.is_empty() || name.contains(['/', ':']) {
            return Err(format!("{name:?} is no name: it is NAME=URL[,pid=N]"));
        }
        let (url, pid) = match rest.rsplit_once(",pid=") {
            None => (rest, None),
            Some((url, pid)) => {
                (url, Some(pid.parse().map_err(|_| format!("{pid:?} is no process id"))?))
            }
        };
        Ok(Self { name: name.to_owned(), base: url_of(url)?, pid })
    }

    /// The path of an endpoint.
    pub(crate) fn path(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.base.path().trim_end_matches('/'))
    }
}

/// Reads the address of a server; credentials do not belong into it, since it is in the report.
pub(crate) fn url_of(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    let Some(authority) = url.authority().filter(|_| known) else {
        return Err(format!("{text:?} does not begin with http:// or https:// and a host"));
    };
    if authority.as_str().contains('@') {
        return Err("a URL with a user name or password; use --api-key-env".to_owned());
    }
    if url.query().is_some() {
        return Err(format!("{text:?} has a query, which a base URL has not"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_a_name_a_url_and_perhaps_a_process() {
        let target = Target::parse("via larder=http://127.0.0.1:5273/v1/,pid=42").unwrap();
        assert_eq!((target.name.as_str(), target.pid), ("via larder", Some(42)));
        assert_eq!(target.path("/embeddings"), "/v1/embeddings");
        let target = Target::parse("a=https://api.example.com").unwrap();
        assert_eq!((target.path("/embeddings").as_str(), target.pid), ("/embeddings", None));
    }

    #[test]
    fn what_is_no_target_is_refused_without_its_password() {
        for text in [
            "http://127.0.0.1:1/v1",
            "a",
            "=http://x/",
            "a=ftp://x/",
            "a=x:1",
            "a=http://x/,pid=y",
            "a=http://x/?key=1",
            "a=http:///v1",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        let refused = Target::parse("a=http://user:secret@x/").unwrap_err();
        assert!(!refused.contains("secret"), "{refused}");
    }
}
