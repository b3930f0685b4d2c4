//! What is to be embedded: texts, token ids or objects, alone or in a list.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Unreadable;
use super::canonical::canonical_of;
use super::json;
use crate::request::Input;

/// The inputs, and whether it was a single text outside a list.
pub(super) fn read_input<'a>(
    input: &'a RawValue,
    names: Option<&[&str]>,
) -> Result<(Vec<Input<'a>>, bool), Unreadable> {
    const WRONG: Unreadable = Unreadable("input is not a string, tokens, or a list of these");
    if let Some(inputs) = names.and_then(|names| read_objects(input, names)) {
        return inputs.map(|inputs| (inputs, false));
    }
    if input.get().starts_with('"') {
        let text = json::text(input.get()).ok_or(WRONG)?;
        return Ok((vec![Input::Text(text)], true));
    }
    let elements = json::items(input.get(), &ElementSeed).ok_or(WRONG)?;
    match elements.first().ok_or(WRONG)? {
        Element::Token(_) => {
            let tokens: Option<Vec<u64>> = elements.into_iter().map(Element::token).collect();
            Ok((vec![Input::Tokens(tokens.ok_or(WRONG)?.into())], true))
        }
        Element::Input(first) => {
            let is_text = matches!(first, Input::Text(_));
            let inputs: Option<Vec<_>> =
                elements.into_iter().map(|element| element.input(is_text)).collect();
            Ok((inputs.ok_or(WRONG)?, false))
        }
    }
}

/// Lists of texts, each of which is one input.
pub(super) fn read_units(input: &RawValue) -> Result<Vec<Input<'_>>, Unreadable> {
    const WRONG: Unreadable = Unreadable("inputs are not lists of strings");
    let units = json::items(input.get(), &PhantomData::<Vec<Cow<'_, str>>>).ok_or(WRONG)?;
    if units.is_empty() {
        return Err(WRONG);
    }
    let spelt = |unit| serde_json::to_string(unit).expect("strings are always JSON");
    Ok(units.iter().map(|unit| Input::Json(Cow::Owned(spelt(unit)))).collect())
}

/// A list that has an object in it, if that is what it is.
fn read_objects<'a>(
    input: &'a RawValue,
    names: &[&str],
) -> Option<Result<Vec<Input<'a>>, Unreadable>> {
    let elements = json::items(input.get(), &PhantomData::<&RawValue>)?;
    let object = |element: &&RawValue| element.get().starts_with('{');
    let read = |element| read_object(element, names);
    elements.iter().any(object).then(|| elements.into_iter().map(read).collect())
}

/// A text or an object of texts. Others are passed on: what a link points to may change, and
/// pictures are counted otherwise than texts.
fn read_object<'a>(element: &'a RawValue, names: &[&str]) -> Result<Input<'a>, Unreadable> {
    let json = element.get();
    match json.bytes().next() {
        Some(b'"') => json::text(json).map(Input::Text),
        Some(b'{') => canonical_of(names, json).map(|json| Input::Json(Cow::Owned(json))),
        _ => None,
    }
    .ok_or(Unreadable("an input is not a string or a plain object"))
}

enum Element<'a> {
    Token(u64),
    Input(Input<'a>),
}

impl<'a> Element<'a> {
    fn token(self) -> Option<u64> {
        match self {
            Self::Token(token) => Some(token),
            Self::Input(_) => None,
        }
    }

    fn input(self, is_text: bool) -> Option<Input<'a>> {
        match self {
            Self::Input(input) if matches!(input, Input::Text(_)) == is_text => Some(input),
            _ => None,
        }
    }
}

#[derive(Clone)]
struct ElementSeed;

impl<'de> DeserializeSeed<'de> for ElementSeed {
    type Value = Element<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Everything that is not visited here is an error: numbers with a point or a sign, booleans,
/// nulls, objects.
impl<'de> Visitor<'de> for ElementSeed {
    type Value = Element<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token or a list of tokens")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Element::Input(Input::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Element::Input(Input::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_u64<E: Error>(self, token: u64) -> Result<Self::Value, E> {
        Ok(Element::Token(token))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut tokens = Vec::new();
        while let Some(element) = seq.next_element_seed(TokenSeed)? {
            if tokens.len() == json::MOST {
                return Err(A::Error::custom("too many tokens"));
            }
            tokens.push(element);
        }
        if tokens.is_empty() {
            return Err(A::Error::custom("an empty list of tokens"));
        }
        Ok(Element::Input(Input::Tokens(tokens.into())))
    }
}

struct TokenSeed;

impl<'de> DeserializeSeed<'de> for TokenSeed {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for TokenSeed {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token")
    }

    fn visit_u64<E: Error>(self, token: u64) -> Result<u64, E> {
        Ok(token)
    }
}
