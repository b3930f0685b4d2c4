//! A request for embeddings of contents, or a batch of such requests.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::Unreadable;
use super::super::canonical::{canonical, canonical_of};
use super::super::json::{self, Members};
use crate::request::{EmbedRequest, Encoding, Input, Unity};

/// Fields that alter each vector by itself, beside the content and its title.
const PARAMS: &[&str] =
    &["audioTrackExtraction", "autoTruncate", "documentOcr", "outputDimensionality", "taskType"];

/// What a content of texts is made of. One with files or pictures is passed on.
const CONTENT: &[&str] = &["parts", "role", "text"];

pub(super) fn read_one<'a>(path: &str, body: &'a [u8]) -> Result<EmbedRequest<'a>, Unreadable> {
    let request = serde_json::from_slice(body).map_err(|_| Unreadable("not an object"))?;
    let place = Place::of(path)?;
    let one = One::read(&request, place.model)?;
    Ok(place.request(vec![one.content], (one.params, one.unknown, one.dimensions)))
}

pub(super) fn read_batch<'a>(path: &str, body: &'a [u8]) -> Result<EmbedRequest<'a>, Unreadable> {
    const WRONG: Unreadable = Unreadable("not a list of requests");
    let Members(members) = serde_json::from_slice(body).map_err(|_| WRONG)?;
    let [(name, requests)] = members.as_slice() else { return Err(WRONG) };
    let requests: Vec<Members<'_>> = serde_json::from_str(requests.get()).map_err(|_| WRONG)?;
    let place = Place::of(path)?;
    let read = |request| One::read(request, place.model);
    let all: Vec<One> = requests.iter().map(read).collect::<Result<_, _>>()?;
    let first = all.first().filter(|_| name == "requests").ok_or(WRONG)?;
    if all.iter().any(|one| one.params != first.params) {
        return Err(Unreadable("requests differ in more than their content"));
    }
    let shared = (first.params.clone(), first.unknown, first.dimensions);
    let contents = all.into_iter().map(|one| one.content).collect();
    Ok(place.request(contents, shared))
}

/// What a path says: the version of the API, and the model.
struct Place<'p> {
    version: &'p str,
    model: &'p str,
}

impl<'p> Place<'p> {
    fn of(path_and_query: &'p str) -> Result<Self, Unreadable> {
        let path = path_and_query.split('?').next().unwrap_or_default();
        let (version, rest) = path.split_once("/models/").ok_or(Unreadable("no model"))?;
        let (model, _) = rest.rsplit_once(':').ok_or(Unreadable("no model"))?;
        Ok(Self { version, model })
    }

    fn request(
        &self,
        contents: Vec<String>,
        (params, unknown, dimensions): (String, bool, Option<usize>),
    ) -> EmbedRequest<'static> {
        EmbedRequest {
            model: Cow::Owned(self.model.to_owned()),
            scope: self.version.to_owned(),
            inputs: contents.into_iter().map(|json| Input::Json(Cow::Owned(json))).collect(),
            scalar: false,
            encoding: Encoding::Float,
            dimensions,
            params,
            user: None,
            unity: if unknown { Unity::Whole } else { Unity::Free },
        }
    }
}

/// One request.
struct One {
    /// The content and its title, canonical.
    content: String,
    /// The other fields, canonical.
    params: String,
    unknown: bool,
    dimensions: Option<usize>,
}

impl One {
    fn read(Members(members): &Members<'_>, model: &str) -> Result<Self, Unreadable> {
        let mut params: Vec<(&str, String)> = Vec::new();
        let (mut content, mut title, mut dimensions, mut unknown) = (None, None, None, false);
        for (name, value) in members {
            match name.as_ref() {
                "model" if names(value, model) => {}
                "model" => return Err(Unreadable("model differs from the path")),
                "content" => content = canonical_of(CONTENT, value.get()),
                "title" => title = Some(spelt(value)?),
                field => {
                    unknown |= !PARAMS.contains(&field);
                    if field == "outputDimensionality" {
                        dimensions = value.get().parse().ok();
                    }
                    params.push((field, spelt(value)?));
                }
            }
        }
        let content = content.ok_or(Unreadable("content is not text"))?;
        let title = title.map(|title| format!(r#","title":{title}"#)).unwrap_or_default();
        params.sort();
        let params = params.iter().map(|(name, value)| member(name, value)).collect::<Vec<_>>();
        let content = format!(r#"{{"content":{content}{title}}}"#);
        Ok(Self { content, params: params.join(","), unknown, dimensions })
    }
}

fn names(value: &RawValue, model: &str) -> bool {
    let name = json::text(value.get());
    name.is_some_and(|name| name.strip_prefix("models/").unwrap_or(&name) == model)
}

fn spelt(value: &RawValue) -> Result<String, Unreadable> {
    canonical(value.get()).ok_or(Unreadable("a value without a canonical form"))
}

fn member(name: &str, value: &str) -> String {
    let name = serde_json::to_string(name).expect("a string is always JSON");
    format!("{name}:{value}")
}
