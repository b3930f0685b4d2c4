//! Settings: values with one text form, which the file, the environment and the flags share.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// A value of the configuration, read from its text form.
pub trait Setting: Sized + PartialEq {
    /// The name of the type in the reference.
    const KIND: &'static str;
    /// Whether TOML needs quotes around the text form.
    const QUOTED: bool = true;

    /// Reads the text form. The error says what was expected.
    fn parse(text: &str) -> Result<Self, String>;

    /// The text form as it may be printed, without secrets.
    fn shown(text: &str) -> String {
        text.to_owned()
    }

    /// The JSON schema of the value in a file.
    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl Setting for SocketAddr {
    const KIND: &'static str = "address";

    fn parse(text: &str) -> Result<Self, String> {
        let address = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        address.as_deref().unwrap_or(text).parse().map_err(|_| {
            format!("expected an IP address and a port such as \"127.0.0.1:5273\", got {text:?}")
        })
    }
}

impl Setting for u32 {
    const KIND: &'static str = "number";
    const QUOTED: bool = false;

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": Self::MAX })
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.replace('_', "")
            .parse()
            .map_err(|_| format!("expected a whole number, not negative, got {text:?}"))
    }
}

impl Setting for bool {
    const KIND: &'static str = "true or false";
    const QUOTED: bool = false;

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("expected true or false, got {text:?}"))
    }
}

impl Setting for String {
    const KIND: &'static str = "text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Setting for Vec<String> {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(items.map(str::to_owned).collect())
    }

    fn schema() -> Value {
        list_of(&json!({ "type": "string" }))
    }
}

/// The schema of a list. A text with commas is a list too.
pub(super) fn list_of(items: &Value) -> Value {
    json!({ "type": ["array", "string"], "items": items })
}

impl Setting for http::Method {
    const KIND: &'static str = "method";

    fn parse(text: &str) -> Result<Self, String> {
        // Methods are case-sensitive, and all that HTTP defines are in capitals.
        let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase());
        let method = is_word.then(|| Self::from_bytes(text.as_bytes()).ok()).flatten();
        method.ok_or_else(|| format!("expected a method such as \"POST\", got {text:?}"))
    }
}

/// An optional value. The empty text is `None`.
impl<T: Setting> Setting for Option<T> {
    const KIND: &'static str = T::KIND;
    const QUOTED: bool = T::QUOTED;

    fn shown(text: &str) -> String {
        T::shown(text)
    }

    fn schema() -> Value {
        T::schema()
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
}
