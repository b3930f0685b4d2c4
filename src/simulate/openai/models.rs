//! `GET /v1/models` and `GET /v1/models/{id}`: a list for show. Calls may name any model.

use http::{Response, StatusCode};
use serde::Serialize;

use super::refusal::{Refusal, Trouble};
use crate::simulate::reply::{self, Body};

const IDS: [&str; 5] = [
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
    "gpt-4o-mini",
    "gpt-4.1",
];

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

/// All models.
pub(super) fn list() -> Response<Body> {
    write(&List { object: "list", data: IDS.into_iter().map(model).collect() })
}

/// One model.
pub(super) fn one(id: &str) -> Result<Response<Body>, Trouble> {
    if !IDS.contains(&id) {
        return Err(Refusal::model(id).into());
    }
    Ok(write(&model(id)))
}

fn model(id: &str) -> Model<'_> {
    Model { id, object: "model", created: 1_700_000_000, owned_by: "system" }
}

fn write(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("texts and numbers are JSON");
    reply::json(StatusCode::OK, text)
}
