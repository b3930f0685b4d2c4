//! The members of a request's body, each in its own text, and the body in one form only.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Unreadable;
use super::super::canonical::canonical;
use super::super::json::{self, Members};
use super::world;
use crate::request::Sharing;

/// Members that every provider reads as floating-point numbers.
const REALS: &[&str] = &[
    "frequencyPenalty",
    "frequency_penalty",
    "presencePenalty",
    "presence_penalty",
    "temperature",
    "topP",
    "top_p",
];

/// Members that hold such members: Gemini's and Ollama's.
const OPTIONS: &[&str] = &["generationConfig", "options"];

/// The members of an object.
#[derive(Debug)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads a body. A name that stands twice makes it unreadable.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Unreadable> {
        let members: Members<'a> =
            serde_json::from_slice(body).map_err(|_| Unreadable("not a JSON object"))?;
        Ok(Self(members.0))
    }

    /// The members of a member, if it is an object; none where it is absent.
    pub(super) fn inner(&self, name: &str) -> Result<Self, Unreadable> {
        self.raw(name).map_or(Ok(Self(Vec::new())), |text| Self::read(text.as_bytes()))
    }

    /// The text of a member that is there and not null.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.get()).filter(|text| *text != "null")
    }

    /// A value of a type; none where it is absent.
    pub(super) fn value<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, Unreadable> {
        let value = self.raw(name).map(serde_json::from_str).transpose();
        value.map_err(|_| Unreadable("a field has another type"))
    }

    /// Whether a member says anything: it is there, and neither false nor empty.
    pub(super) fn says(&self, name: &str) -> bool {
        let nothing = |text: &str| {
            let mut rest = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
            let first_two = [rest.next(), rest.next()].map(Option::unwrap_or_default);
            text == "false" || matches!(&first_two, b"[]" | b"{}" | b"\"\"")
        };
        self.raw(name).is_some_and(|text| !nothing(text))
    }

    /// Whether any of these says anything.
    pub(super) fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.says(name))
    }

    /// Whether a member is a number, and zero.
    pub(super) fn is_zero(&self, name: &str) -> bool {
        let number = self.raw(name).and_then(|text| text.parse::<f64>().ok());
        number.is_some_and(|number| number == 0.0)
    }

    /// Whether a request leaves anything to chance: tools by these names, a search, or a temperature.
    pub(super) fn chance(&self, tools: &[&str], model: &str) -> Sharing {
        if self.any(tools) {
            Sharing::Drawn("tools")
        } else if world::depends(self, model) {
            Sharing::Drawn("search")
        } else if !self.is_zero("temperature") {
            Sharing::Drawn("temperature")
        } else {
            Sharing::Deterministic
        }
    }

    /// Everything but some members as JSON text that does not depend on the order of members, on
    /// white space and on how characters are escaped; a member that cannot be told exactly stands as
    /// it is written.
    pub(super) fn canonical(mut self, without: &[&str]) -> Vec<u8> {
        self.0.retain(|(name, _)| !without.contains(&name.as_ref()));
        self.0.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut out = Vec::with_capacity(1_024);
        out.push(b'{');
        for (i, (name, value)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json::write_text(&mut out, name);
            out.push(b':');
            write(&mut out, name, value.get());
        }
        out.push(b'}');
        out
    }
}

/// Writes a member's value in one form.
fn write(out: &mut Vec<u8>, name: &str, json: &str) {
    if REALS.contains(&name)
        && let Some(number) = real(json)
    {
        return out.extend(number.to_string().as_bytes());
    }
    if OPTIONS.contains(&name)
        && let Ok(options) = Fields::read(json.as_bytes())
    {
        return out.extend(options.canonical(&[]));
    }
    let text = canonical(json).unwrap_or_else(|| {
        let mut compact = String::with_capacity(json.len());
        json::write_compact(&mut compact, json);
        compact
    });
    out.extend(text.as_bytes());
}

/// A number as every reader of a floating-point number takes it: `0`, `0.0` and `-0e1` are the same.
fn real(json: &str) -> Option<f64> {
    let number: f64 = json.parse().ok()?;
    // Adding nothing makes a zero of either sign this one.
    number.is_finite().then_some(number + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(body: &str) -> String {
        String::from_utf8(Fields::read(body.as_bytes()).unwrap().canonical(&[])).unwrap()
    }

    #[test]
    fn a_real_number_is_one_however_it_is_written() {
        for body in [
            r#"{"temperature":0,"top_p":1}"#,
            r#"{"top_p":1.0,"temperature":0.0}"#,
            r#"{"temperature": -0.0,"top_p":10e-1}"#,
        ] {
            assert_eq!(canonical(body), r#"{"temperature":0,"top_p":1}"#);
        }
        let nested = r#"{"generationConfig":{"topP":0.70,"temperature":0.0,"seed":1.0}}"#;
        let right = r#"{"generationConfig":{"seed":1.0,"temperature":0,"topP":0.7}}"#;
        assert_eq!(canonical(nested), right);
        for other in
            [r#"{"max_tokens":1.0}"#, r#"{"temperature":"0.0"}"#, r#"{"temperature":null}"#]
        {
            assert_eq!(canonical(other), other);
        }
    }
}
