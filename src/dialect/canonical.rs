//! One spelling of a JSON value, so that the same question has one key.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{Members, text};

/// How deeply a value may be nested. Every level is read once more.
const DEPTH: usize = 16;

/// A text of JSON in canonical form; `None` for what is none, or has no form that is its only one.
pub fn one_spelling(json: &[u8]) -> Option<Vec<u8>> {
    let value: &RawValue = serde_json::from_slice(json).ok()?;
    canonical(value.get()).map(String::into_bytes)
}

/// The value in canonical form, if no object in it has a member that is not among these names.
pub(super) fn canonical_of(names: &[&str], json: &str) -> Option<String> {
    let mut out = String::with_capacity(json.len());
    write(&mut out, json, (DEPTH, names))?;
    Some(out)
}

/// The value without white space, its members sorted by name and its strings spelt one way; numbers
/// stay as they were written. `None` for what is nested too deeply or names a member twice.
pub(super) fn canonical(json: &str) -> Option<String> {
    let mut out = String::with_capacity(json.len());
    write(&mut out, json, (DEPTH, &[]))?;
    Some(out)
}

/// No names are any names.
fn write(out: &mut String, json: &str, (depth, names): (usize, &[&str])) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match json.bytes().next()? {
        b'"' => write_string(out, &text(json)?),
        b'{' => {
            let Members(mut members) = serde_json::from_str(json).ok()?;
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                separate(out, i);
                (names.is_empty() || names.contains(&name.as_ref())).then_some(())?;
                write_string(out, name);
                out.push(':');
                write(out, value.get(), (depth, names))?;
            }
            out.push('}');
        }
        b'[' => {
            out.push('[');
            let items = Items { out, inside: (depth, names) };
            serde_json::Deserializer::from_str(json).deserialize_seq(items).ok()?;
            out.push(']');
        }
        _ => out.push_str(json),
    }
    Some(())
}

/// An array's items, written as they are read: the list of them may be many times their text.
struct Items<'o> {
    out: &'o mut String,
    inside: (usize, &'o [&'o str]),
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut place = 0;
        while let Some(item) = seq.next_element::<&RawValue>()? {
            separate(self.out, place);
            place += 1;
            write(self.out, item.get(), self.inside)
                .ok_or_else(|| A::Error::custom("an item without a canonical form"))?;
        }
        Ok(())
    }
}

fn separate(out: &mut String, place: usize) {
    if place > 0 {
        out.push(',');
    }
}

fn write_string(out: &mut String, string: &str) {
    out.push_str(&serde_json::to_string(string).expect("a string is always JSON"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_value_has_one_spelling() {
        let one = canonical(r#"{"b":[1.0,{"d":null,"c":"\u00e9"}],"a":"x"}"#);
        let other =
            canonical("{ \"a\" : \"\\u0078\",\n\"b\" : [ 1.0 , {\"c\":\"é\",\"d\":null} ] }");
        assert_eq!(one.as_deref(), Some(r#"{"a":"x","b":[1.0,{"c":"é","d":null}]}"#));
        assert_eq!(one, other);
    }

    #[test]
    fn what_cannot_be_spelt_one_way_is_refused() {
        assert_eq!(canonical(r#"{"a":1,"a":2}"#), None);
        assert_eq!(canonical_of(&["a"], r#"{"a":{"b":1}}"#), None);
        assert_eq!(canonical(r#"["\ud800"]"#), None);
        assert_eq!(canonical(&("[".repeat(40) + &"]".repeat(40))), None);
    }
}
