//! JSON as it has to be read here: nothing twice, nothing lost, nothing built that is not needed.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, each value as its own text.
///
/// A name that stands twice is an error: providers and parsers disagree about which one counts.
#[derive(Debug)]
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Apart::<()> { name: None, into: &mut None }).map(Self)
    }
}

/// The members of an object; the value of the one with this name goes elsewhere, read as what that is.
pub(super) struct Apart<'o, T> {
    pub(super) name: Option<&'static str>,
    pub(super) into: &'o mut Option<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Apart<'_, T> {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::with_capacity(8);
        while let Some(name) = map.next_key_seed(TextSeed)? {
            // A body has a handful of members; one with thousands is nothing that is served here.
            if members.len() == 64 {
                return Err(A::Error::custom("too many fields"));
            }
            let is_apart = self.name.is_some_and(|apart| name == apart);
            if members.iter().any(|(known, _)| *known == name) || (is_apart && self.into.is_some())
            {
                return Err(A::Error::custom("repeated field"));
            }
            if is_apart {
                *self.into = Some(map.next_value()?);
                continue;
            }
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

/// A string, borrowed where it has no escapes.
pub(super) struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A string from its JSON text.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    // Most are what they look like; a vector as base64 always is, and is long.
    if let Some(text) = quoted(json).filter(|text| is_plain(text)) {
        return Some(text.into());
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    TextSeed.deserialize(&mut deserializer).ok()
}

/// What stands between the quotes of a string's JSON text, escapes and all.
pub(super) fn quoted(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// Whether a text stands in JSON as it is. Looked at to the end, so that many bytes are looked at at once.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    text.bytes().fold(true, |all, byte| all & is_plain(byte))
}

/// How many items an array may have that is taken apart: more than any provider takes in one request,
/// and so few that what is made of them is not many times the body.
pub(super) const MOST: usize = 1 << 17;

/// An array's items by a seed for each; the array is read to its end or not at all.
pub(super) fn items<'a, S>(json: &'a str, seed: &S) -> Option<Vec<S::Value>>
where
    S: DeserializeSeed<'a> + Clone,
{
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_seq(Items(seed)).ok()
}

struct Items<'s, S>(&'s S);

impl<'de, S: DeserializeSeed<'de> + Clone> Visitor<'de> for Items<'_, S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.0.clone())? {
            if items.len() == MOST {
                return Err(A::Error::custom("too many items"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

/// Reads an array's items one after the other and keeps none of them: a list of many may be many times
/// its text. Nothing where the array or an item is not what it should be.
pub(super) fn each<'a, T: Deserialize<'a>>(json: &'a str, take: impl FnMut(T)) -> Option<()> {
    let each = Each { take, item: PhantomData };
    serde_json::Deserializer::from_str(json).deserialize_seq(each).ok()
}

struct Each<F, T> {
    take: F,
    item: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element()? {
            (self.take)(item);
        }
        Ok(())
    }
}

/// Appends a string as JSON text.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing to a Vec cannot fail");
}

/// Appends JSON text without the white space between its tokens.
pub(super) fn write_compact(out: &mut String, json: &str) {
    let json = json.trim_ascii();
    if !json.starts_with(['{', '[']) {
        // It is one token.
        return out.push_str(json);
    }
    let mut in_string = false;
    let mut escaped = false;
    for c in json.chars() {
        if in_string || !c.is_ascii_whitespace() {
            out.push(c);
        }
        in_string = if in_string { escaped || c != '"' } else { c == '"' };
        escaped = in_string && !escaped && c == '\\';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_refused_however_it_is_spelt() {
        for json in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(serde_json::from_str::<Members<'_>>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn compact_text_keeps_the_white_space_of_strings() {
        let mut out = String::new();
        write_compact(&mut out, " { \"a b\" : [ 1 ,\n\"\\\" \\\\\" , \" x\" ] } ");
        write_compact(&mut out, " \" y \" ");
        assert_eq!(out, "{\"a b\":[1,\"\\\" \\\\\",\" x\"]}\" y \"");
    }
}
