//! The text form of a value, from TOML and back.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// A text form as TOML.
pub(super) fn literal((kind, quoted): (&str, bool), text: &str) -> String {
    // A string of JSON is one of TOML too.
    let string = |text: &str| Value::from(text).to_string();
    if kind.starts_with("list of") {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        return format!("[{}]", items.map(string).collect::<Vec<_>>().join(", "));
    }
    let is_toml = || DeTable::parse(&format!("value = {text}")).is_ok();
    if quoted || text.is_empty() || !is_toml() { string(text) } else { text.to_owned() }
}

/// The text form of a value of TOML.
pub(super) fn as_text(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(yes) => Ok(yes.to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            let texts = texts.ok_or_else(|| "expected a list of texts".to_owned())?;
            // In a variable they are one text, separated by commas.
            let odd = texts
                .iter()
                .find(|text| text.contains(',') || text.trim() != **text || text.is_empty());
            match odd {
                Some(_) => Err("an item is empty, has a comma, or a blank at an end".to_owned()),
                None => Ok(texts.join(",")),
            }
        }
        other => Err(format!("a {} does not fit here", other.type_str())),
    }
}
