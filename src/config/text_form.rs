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

/// The text form of a value of TOML, for a setting of a kind. The error names the kind.
pub(super) fn as_text(value: &DeValue<'_>, kind: &str) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(yes) => Ok(yes.to_string()),
        DeValue::Array(items) if kind.starts_with("list of") => {
            let other = items.iter().find(|item| !item.get_ref().is_str());
            if let Some(other) = other {
                let found = described(other.get_ref());
                return Err(format!("expected a {kind} in quotes, got an item that is {found}"));
            }
            let texts: Vec<_> = items.iter().filter_map(|item| item.get_ref().as_str()).collect();
            // In a variable they are one text, separated by commas.
            let odd = texts
                .iter()
                .find(|text| text.contains(',') || text.trim() != **text || text.is_empty());
            match odd {
                Some(_) => Err("an item is empty, has a comma, or a blank at an end".to_owned()),
                None => Ok(texts.join(",")),
            }
        }
        other => {
            let article = if kind.starts_with(['a', 'e']) { "an" } else { "a" };
            let kind = if kind.contains('`') || kind.starts_with("true") {
                kind.to_owned()
            } else {
                format!("{article} {kind}")
            };
            Err(format!("expected {kind}, got {}", described(other)))
        }
    }
}

/// The type of a value in words.
fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(number) if number.radix() == 10 => "a number",
        DeValue::Integer(_) => "a number that is not decimal",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list: write one value, without brackets",
        DeValue::Table(_) => "a table: write one value, without braces",
    }
}
