//! Why requests of late were not answered from the cache, or answers not kept (`GET /api/explain`).

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::body::Body;
use super::{Admin, answer, text};
use crate::explain::{Explanation, Nearest};

impl Admin {
    /// The explanations that fit the filters, newest first.
    pub(super) fn explain(&self, query: Option<&str>) -> Response<Body> {
        let mut filters = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let of: fn(&Explanation) -> &str = match name.as_ref() {
                "provider" => |one| &one.provider,
                "model" => |one| &one.model,
                "outcome" => |one| one.outcome,
                "rule" => |one| one.rule.as_deref().unwrap_or_default(),
                _ => {
                    let known = "known are: provider, model, outcome, rule";
                    let message = format!("{name:?}: unknown filter; {known}\n");
                    return text(StatusCode::BAD_REQUEST, &message);
                }
            };
            filters.push((of, value.into_owned()));
        }
        let explained = self.current.get().service.explained.all();
        let fits = |one: &&Explanation| filters.iter().all(|(of, value)| of(one) == value);
        let explanations: Vec<Value> = explained.iter().filter(fits).map(explanation).collect();
        let body = json!({ "explanations": explanations });
        answer(StatusCode::OK, "application/json", body.to_string().into())
    }
}

fn explanation(one: &Explanation) -> Value {
    json!({
        "time": one.time,
        "provider": one.provider,
        "model": one.model,
        "outcome": one.outcome,
        "rule": one.rule,
        "note": one.note,
        "why": one.why(),
        "nearest": one.nearest.as_ref().map(nearest),
    })
}

fn nearest(nearest: &Nearest) -> Value {
    let Nearest { age, parts: (shared, all), differs } = nearest;
    let differs: Vec<Value> = differs.iter().map(difference).collect();
    json!({ "age_seconds": age, "parts_shared": shared, "parts": all, "differs": differs })
}

fn difference((field, here, there): &(String, u64, u64)) -> Value {
    let digest = |digest: u64| (digest != 0).then(|| format!("{digest:016x}"));
    json!({ "field": field, "here": digest(*here), "there": digest(*there) })
}
