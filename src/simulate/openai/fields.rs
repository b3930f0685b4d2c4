//! Reading the fields of a body: first each one's extent, then its value, so that a refusal can say
//! which field was wrong. A name that occurs twice is refused.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::refusal::Refusal;
use crate::simulate::oracle::Input;

/// The fields that are looked at; all others are skipped.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) dimensions: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) encoding_format: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) messages: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stream: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stream_options: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    /// Finds the fields of a body.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|_| Refusal::body())
    }

    /// The model, which every call must name.
    pub(super) fn model(&self) -> Result<Cow<'a, str>, Refusal> {
        let model: Option<Text<'a>> = value("model", self.model)?;
        match model {
            Some(Text(model)) if !model.is_empty() => Ok(model),
            _ => Err(Refusal::invalid("you must provide a model parameter")),
        }
    }
}

/// The value of a field, if there is one that is not null.
pub(super) fn value<'a, T: Deserialize<'a>>(
    name: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Option<T>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|_| Refusal::field(name))
}

/// A string, borrowed from the body where it has no escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// One thing to embed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Token ids.
    Tokens(Vec<u64>),
}

impl Item<'_> {
    /// As what a vector is made of.
    pub(super) fn as_input(&self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Tokens(tokens) => Input::Tokens(tokens),
        }
    }
}

/// Reads `input`: a text, texts, token ids (one input) or lists of token ids. Nothing in a list may
/// be empty, and nothing mixed.
pub(super) fn items(raw: &RawValue) -> Option<Vec<Item<'_>>> {
    let text = raw.get();
    if text.starts_with('"') {
        let Text(text) = serde_json::from_str(text).ok()?;
        // A scalar may be empty, as it may be at `OpenAI`.
        return Some(vec![Item::Text(text)]);
    }
    let items: Vec<_> = match text.strip_prefix('[')?.trim_start().bytes().next()? {
        b'"' => {
            let texts: Vec<Text<'_>> = serde_json::from_str(text).ok()?;
            texts.into_iter().map(|Text(text)| Item::Text(text)).collect()
        }
        b'[' => {
            let lists: Vec<Vec<u64>> = serde_json::from_str(text).ok()?;
            lists.into_iter().map(Item::Tokens).collect()
        }
        _ => vec![Item::Tokens(serde_json::from_str(text).ok()?)],
    };
    let hollow = |item: &Item<'_>| match item {
        Item::Text(text) => text.is_empty(),
        Item::Tokens(tokens) => tokens.is_empty(),
    };
    (!items.iter().any(hollow)).then_some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Vec<Item<'_>>> {
        items(serde_json::from_str(json).unwrap())
    }

    fn text(text: &str) -> Item<'_> {
        Item::Text(text.into())
    }

    #[test]
    fn the_four_forms_of_input() {
        assert_eq!(read(r#""a\u0062""#).unwrap(), [text("ab")]);
        assert_eq!(read(r#"[ "a", "b" ]"#).unwrap(), [text("a"), text("b")]);
        assert_eq!(read("[1, 2]").unwrap(), [Item::Tokens(vec![1, 2])]);
        let lists = [Item::Tokens(vec![1, 2]), Item::Tokens(vec![3])];
        assert_eq!(read("[[1,2],[3]]").unwrap(), lists);
    }

    #[test]
    fn an_empty_text_is_good_by_itself_only() {
        assert_eq!(read(r#""""#).unwrap(), [text("")]);
        assert_eq!(read(r#"[""]"#), None);
        assert_eq!(read(r#"["a",""]"#), None);
    }

    #[test]
    fn what_is_no_input_is_refused() {
        let bad = [
            "[]",
            "[[]]",
            "[[1],[]]",
            "[null]",
            "[true]",
            "[1.0]",
            "[-1]",
            "{}",
            "123",
            "true",
            r#"["a",[1,2]]"#,
            r#"["a",1]"#,
            r#"[1,"a"]"#,
            "[[1],2]",
            r#"[["a"]]"#,
            "[{}]",
        ];
        for json in bad {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
