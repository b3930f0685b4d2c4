//! Keys, wherever the configuration says they are: in a file, in a list, in the environment. They are
//! read where they are named, so that what is missing is an error of that place.

use std::env;
use std::fmt;
use std::fs;

use super::read::Problem;
use super::units::{Secret, Setting};

/// What is wrong where a variable is not there.
const UNSET: &str = "is not set";

/// A file of keys, one a line; empty lines and those that begin with `#` are none.
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
        if keys.is_empty() { Err(format!("{name}: holds no key")) } else { Ok(Self { name, keys }) }
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
}

/// An environment variable that holds a key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyVariable {
    name: String,
    key: Secret,
}

impl KeyVariable {
    /// The key; `None` where no variable is named.
    pub fn key(&self) -> Option<&Secret> {
        (!self.name.is_empty()).then_some(&self.key)
    }
}

/// Whether a problem is that a provider's key is not in the environment, which is none to who calls no
/// provider.
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
            // It may well be the key itself.
            return Err(
                "expected a variable's name, in capitals, such as OPENAI_API_KEY".to_owned()
            );
        }
        let key = env::var(&name).unwrap_or_default();
        if key.trim().is_empty() {
            return Err(format!("the environment variable {name} {UNSET}"));
        }
        // What cannot stand in a header would fail each call.
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
