//! A request for embeddings, read to its fields and inputs by the table of its endpoint.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Unreadable;
use super::canonical::canonical;
use super::input::{read_input, read_units};
use super::json::{self, Members};
use super::shape::{Encodings, Shape};
use crate::request::{EmbedRequest, Encoding, Input, Unity};

/// Token arrays are documented up to this length, though longer ones may be taken.
const MAX_TOKEN_ARRAY: usize = 2_048;

pub(super) fn read<'a>(
    shape: &Shape,
    path_and_query: &str,
    body: &'a [u8],
) -> Result<EmbedRequest<'a>, Unreadable> {
    let Members(members) = serde_json::from_slice(body)
        .map_err(|_| Unreadable("not a JSON object, or a repeated field"))?;
    let mut fields = Fields::default();
    for (name, value) in members {
        fields.take(shape, name, value)?;
    }
    let path = path_and_query.split('?').next().filter(|_| shape.by_path).unwrap_or_default();
    fields.into_request(shape, path)
}

#[derive(Default)]
struct Fields<'a> {
    model: Option<Cow<'a, str>>,
    input: Option<&'a RawValue>,
    encoding: Option<(Encoding, &'a RawValue)>,
    user: Option<Cow<'a, str>>,
    dimensions: Option<usize>,
    params: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    unknown: bool,
    kept: bool,
}

impl<'a> Fields<'a> {
    fn take(
        &mut self,
        shape: &Shape,
        name: Cow<'a, str>,
        value: &'a RawValue,
    ) -> Result<(), Unreadable> {
        let field = name.as_ref();
        let null = value.get() == "null";
        match field {
            "model" if null && !shape.needs_model => {}
            "model" => {
                let model = json::text(value.get());
                self.model = Some(model.ok_or(Unreadable("model is not a string"))?);
            }
            "encoding_format" if shape.encodings != Encodings::None => {
                self.encoding = Some((read_encoding(value)?, value));
            }
            _ if field == shape.input || shape.objects.is_some_and(|(name, _)| name == field) => {
                if self.input.replace(value).is_some() {
                    return Err(Unreadable("two fields with inputs"));
                }
            }
            _ if field == shape.user && !field.is_empty() => {
                self.user = Some(read_user(field, value)?);
            }
            _ if shape.harmless.contains(&field) => {}
            _ if shape.null_is_absent && null && shape.params.contains(&field) => {}
            _ => self.take_param(shape, name, value)?,
        }
        Ok(())
    }

    fn take_param(
        &mut self,
        shape: &Shape,
        name: Cow<'a, str>,
        value: &'a RawValue,
    ) -> Result<(), Unreadable> {
        let joins = shape.joins.contains(&name.as_ref()) && value.get() != "false";
        self.unknown |= joins || !shape.params.contains(&name.as_ref());
        if name == shape.dimensions {
            // Where it is taken at all, 0 asks for all of them.
            self.dimensions = value.get().parse().ok().filter(|asked| *asked > 0);
        }
        let Some((_, floats)) = shape.forms.iter().find(|(form, _)| *form == name) else {
            self.params.push((name, Cow::Borrowed(value.get())));
            return Ok(());
        };
        let form =
            read_form(value).ok_or(Unreadable("an output format without a canonical form"))?;
        self.kept |= !floats.contains(&form.as_str());
        self.params.push((name, Cow::Owned(form)));
        Ok(())
    }

    fn into_request(mut self, shape: &Shape, path: &str) -> Result<EmbedRequest<'a>, Unreadable> {
        let model = match self.model.take() {
            None if shape.needs_model => return Err(Unreadable("no model")),
            model => model.unwrap_or_default(),
        };
        let input = self.input.ok_or(Unreadable("no input"))?;
        let (inputs, scalar) = if shape.units {
            (read_units(input)?, false)
        } else {
            read_input(input, shape.objects.map(|(_, names)| names))?
        };
        let encoding = self.encoding(shape);
        self.params.sort_by(|(a, _), (b, _)| a.cmp(b));
        let unity = match () {
            () if self.unknown => Unity::Whole,
            () if shape.alone => Unity::Alone,
            () if inputs.iter().any(|input| is_doubtful(shape, input)) => Unity::Alone,
            () => Unity::Free,
        };
        Ok(EmbedRequest {
            model,
            scope: path.to_owned(),
            inputs,
            scalar,
            encoding,
            dimensions: self.dimensions.filter(|_| encoding != Encoding::Kept),
            params: write_params(&self.params),
            user: self.user,
            unity,
        })
    }

    /// How the vectors are wanted. A field that is not known may make them of anything, so that
    /// they are kept as they come; then their encoding is one more thing that tells them apart.
    fn encoding(&mut self, shape: &Shape) -> Encoding {
        let (asked, text) = match self.encoding {
            Some((asked, text)) => (asked, Some(text)),
            None => (Encoding::Float, None),
        };
        if !self.kept && !self.unknown && !shape.units {
            return asked;
        }
        let text = text.filter(|text| text.get() != "null" && shape.encodings != Encodings::None);
        let text = text.map(|text| (Cow::Borrowed("encoding_format"), Cow::Borrowed(text.get())));
        self.params.extend(text);
        Encoding::Kept
    }
}

fn read_encoding(value: &RawValue) -> Result<Encoding, Unreadable> {
    match value.get() {
        "null" | r#""float""# => Ok(Encoding::Float),
        r#""base64""# => Ok(Encoding::Base64),
        _ => Err(Unreadable("an unknown encoding_format")),
    }
}

/// A user is a text; what other fields say is theirs to choose.
fn read_user<'a>(field: &str, value: &'a RawValue) -> Result<Cow<'a, str>, Unreadable> {
    let text = value.get();
    match text.bytes().next() {
        Some(b'"') => Ok(Cow::Borrowed(text)),
        _ if text == "null" => Ok(Cow::Borrowed(text)),
        _ if field == "user" => Err(Unreadable("user is not a string")),
        _ => canonical(text).map(Cow::Owned).ok_or(Unreadable("metadata without a canonical form")),
    }
}

/// A form, or the set of forms that a list names in whatever order.
fn read_form(value: &RawValue) -> Option<String> {
    let form = canonical(value.get())?;
    let Ok(mut names) = serde_json::from_str::<Vec<Cow<'_, str>>>(&form) else {
        return Some(form);
    };
    names.sort();
    names.dedup();
    serde_json::to_string(&names).ok()
}

fn write_params(params: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let mut out = String::new();
    for (name, value) in params {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(name).expect("a string is always JSON"));
        out.push(':');
        json::write_compact(&mut out, value);
    }
    out
}

/// Inputs that providers disagree about, or that are likely to be refused: they travel alone, in
/// the bytes they came in.
fn is_doubtful(shape: &Shape, input: &Input<'_>) -> bool {
    match input {
        Input::Text(text) => {
            text.len().div_ceil(2) > shape.limits.input_tokens || text.trim().is_empty()
        }
        Input::Json(json) => json.len().div_ceil(2) > shape.limits.input_tokens,
        Input::Tokens(tokens) => tokens.len() > MAX_TOKEN_ARRAY,
    }
}
