//! What is embedded before anybody asks for it.

mod command;
mod jobs;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Response;
use http_body_util::Full;
use serde_json::json;

use crate::harness::{Asked, In, Scripted, answer, json as reply};

/// A provider that has no time for every so-manieth call, and says when it has some.
pub(super) fn busy(every: u64) -> Scripted {
    let calls = Arc::new(AtomicU64::new(0));
    Scripted::start(move |asked| {
        let refused = calls.fetch_add(1, Ordering::Relaxed) % every == every - 1;
        async move {
            if refused {
                return Some(slow_down());
            }
            Some(reply(200, &answer(&asked)))
        }
    })
}

pub(super) fn slow_down() -> Response<Full<bytes::Bytes>> {
    let body = json!({ "error": { "message": "slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded" } });
    let mut response = reply(429, &body);
    response.headers_mut().insert("retry-after-ms", 20.into());
    response
}

/// How often each text was answered: of the calls that a provider of [`busy`] did not refuse.
pub(super) fn answered(calls: &[Asked], every: u64) -> HashMap<String, u64> {
    let mut texts = HashMap::new();
    let taken = calls.iter().filter(|call| call.number as u64 % every != every - 1);
    for input in taken.flat_map(Asked::inputs) {
        if let In::Text(text) = input {
            *texts.entry(text).or_default() += 1;
        }
    }
    texts
}
