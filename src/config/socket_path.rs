//! The path of a socket file.

use super::units::Setting;

/// Maximum length of a socket's path (`sun_path`), without its final zero byte.
const LONGEST: usize = 107;

/// The path of a socket file. Empty: none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPath(String);

impl SocketPath {
    /// The path, if there is one.
    pub fn path(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|path| !path.is_empty())
    }
}

impl Setting for SocketPath {
    const KIND: &'static str = "path of a socket";

    fn parse(text: &str) -> Result<Self, String> {
        // A relative path would be another file for a process with another working directory.
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!("expected an absolute path, got {text:?}"));
        }
        if text.len() > LONGEST {
            let length = text.len();
            return Err(format!(
                "has {length} bytes, and the path of a socket may have {LONGEST}: {text:?}"
            ));
        }
        // The start line has it between spaces.
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!("must not hold white space or control characters: {text:?}"));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_no_socket_could_have_are_refused() {
        assert_eq!(SocketPath::parse("").unwrap().path(), None);
        assert_eq!(SocketPath::parse("/run/larder").unwrap().path(), Some("/run/larder"));
        let longest = format!("/{}", "x".repeat(106));
        assert!(SocketPath::parse(&longest).is_ok());
        for path in ["larder.sock", "./x", "/a b", "/a\tb", "/a\nb", "/a\0b", &(longest + "x")] {
            assert!(SocketPath::parse(path).is_err(), "{path:?}");
        }
    }
}
