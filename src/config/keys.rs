//! Keys from a file, a list, or the environment. They are read with the configuration, so that a missing
//! one is an error with a place.

use std::env;
use std::fmt;
use std::fs;

use serde_json::Value;

use super::read::Problem;
use super::setting::list_of;
use super::units::{Secret, Setting};

/// The error of a variable that is not set.
const UNSET: &str = "is not set";

/// A file of keys, one a line. Empty lines and lines that begin with `#` do not count.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFile {
    name: String,
    keys: Vec<Secret>,
}

impl KeyFile {
    /// The keys in it.
    pub fn keys(&self) -> &[Secret] {
        &self.keys
    }

    /// Its path; `None` if none is configured.
    pub fn name(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|name| !name.is_empty())
    }
}

impl Setting for KeyFile {
    const KIND: &'static str = "file of keys";

    fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_owned();
        if name.is_empty() {
            return Ok(Self { name, keys: Vec::new() });
        }
        let lines = fs::read_to_string(&name).map_err(|error| format!("{name}: {error}"))?;
        let lines = lines.lines().map(str::trim);
        let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = keys.map(Secret::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(format!("{name}: has no key")) } else { Ok(Self { name, keys }) }
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({} keys)", self.name, self.keys.len())
    }
}

impl Setting for Vec<Secret> {
    const KIND: &'static str = "list of secrets";

    fn parse(text: &str) -> Result<Self, String> {
        Vec::<String>::parse(text)?.iter().map(|key| Secret::parse(key)).collect()
    }

    fn shown(text: &str) -> String {
        Secret::shown(text)
    }

    fn schema() -> Value {
        list_of(&Secret::schema())
    }
}

/// An environment variable that holds a key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyVariable {
    name: String,
    key: Secret,
}

impl KeyVariable {
    /// The name of the variable; `None` if none is configured.
    pub fn name(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|name| !name.is_empty())
    }

    /// The key; `None` where no variable is named.
    pub fn key(&self) -> Option<&Secret> {
        (!self.name.is_empty()).then_some(&self.key)
    }
}

/// Whether a problem is a provider's key that is not in the environment. It is none if no provider is
/// called.
pub(super) fn is_unset(problem: &Problem) -> bool {
    problem.key.ends_with(".api_key_env") && problem.message.ends_with(UNSET)
}

impl Setting for KeyVariable {
    const KIND: &'static str = "environment variable";

    fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_owned();
        if name.is_empty() {
            return Ok(Self { name, key: Secret::parse("")? });
        }
        let in_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if !name.bytes().all(in_name) {
            // The text may be the key itself: it is not repeated.
            return Err(
                "expected a variable's name, in capitals, such as OPENAI_API_KEY".to_owned()
            );
        }
        let key = env::var(&name).unwrap_or_default();
        if key.trim().is_empty() {
            return Err(format!("the environment variable {name} {UNSET}"));
        }
        // A key that cannot stand in a header would fail each call.
        if !key.trim().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("the environment variable {name} does not hold a key"));
        }
        Ok(Self { name, key: Secret::parse(key.trim())? })
    }
}

impl fmt::Debug for KeyVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({:?})", self.name, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_print_and_what_is_missing_says_so() {
        let keys = Vec::<Secret>::parse("one, two").unwrap();
        assert_eq!(format!("{keys:?}"), "[***, ***]");
        assert_eq!(keys.iter().map(Secret::expose).collect::<Vec<_>>(), ["one", "two"]);
        let missing = KeyFile::parse("/nonexistent/keys").unwrap_err();
        assert!(missing.starts_with("/nonexistent/keys: "), "{missing}");
        let unset = KeyVariable::parse("LARDER_NO_SUCH_KEY").unwrap_err();
        assert!(unset.contains("LARDER_NO_SUCH_KEY is not set"), "{unset}");
        assert_eq!(KeyVariable::parse("").unwrap().key(), None);
    }
}
