//! `/__stats`, `/__invoice`, `/__reset` and `/__faults`: how a test or a bench looks at the provider and turns
//! its knobs. No provider has these; they are not counted as requests.

use http::{Method, Response, StatusCode};
use serde::Serialize;

use super::change::Change;
use super::provider::Provider;
use super::reply::{self, Body};

/// Answers the control request of this method and name (the path behind `/__`).
pub(super) fn answer(
    provider: &Provider,
    (method, name): (&Method, &str),
    body: &[u8],
) -> Response<Body> {
    match (method.as_str(), name) {
        ("GET", "stats") => show(&provider.stats().snapshot()),
        ("GET", "invoice") => show(&provider.invoice().lines()),
        ("POST", "reset") => {
            provider.reset();
            show(&provider.stats().snapshot())
        }
        ("GET", "faults") => show(&Change::from(&*provider.faults())),
        ("POST", "faults") => match change(provider, body) {
            Ok(now) => show(&now),
            Err(message) => refuse(StatusCode::BAD_REQUEST, &message),
        },
        _ => {
            refuse(StatusCode::NOT_FOUND, "GET stats, GET invoice, POST reset, GET or POST faults")
        }
    }
}

fn change(provider: &Provider, body: &[u8]) -> Result<Change, String> {
    let change: Change = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    provider.change(&change).map(|now| Change::from(&*now))
}

fn show(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("plain numbers and maps of them are JSON");
    reply::json(StatusCode::OK, text)
}

fn refuse(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = show(&serde_json::json!({ "error": message }));
    *response.status_mut() = status;
    response
}
