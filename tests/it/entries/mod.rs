//! What is kept, as an operator sees it, and makes it forgotten.

mod command;
mod pages;
mod purge;

use std::collections::HashSet;

use http::Method;
use serde_json::Value;

use crate::harness::{Ask, Sidecar};

/// A page of the entries.
pub(super) async fn page(sidecar: &Sidecar, query: &str) -> Value {
    let answer = sidecar.admin().get(&format!("/api/entries?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// All entries that a query means, page by page, in the order in which they came.
pub(super) async fn listed(sidecar: &Sidecar, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(sidecar, &format!("{query}{cursor}")).await;
        all.extend(page["entries"].as_array().unwrap().clone());
        if page["has_more"] == false {
            assert!(page["next_cursor"].is_null(), "{page}");
            return all;
        }
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
    }
}

/// Their keys, each of which was there once, and in order.
pub(super) fn keys(entries: &[Value]) -> HashSet<String> {
    let keys = entries.iter().map(|entry| entry["key"].as_str().unwrap().to_owned());
    let set: HashSet<String> = keys.collect();
    assert_eq!(set.len(), entries.len(), "an entry was there twice");
    set
}

/// What a purge says.
pub(super) async fn purged(sidecar: &Sidecar, query: &str) -> Value {
    let path = format!("/api/entries?{query}");
    let answer = sidecar.admin().send(Method::DELETE, &path, &[], "").await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// A question to a model of a name.
pub(super) fn of_model(model: &str, ask: &Ask) -> Ask {
    Ask { model: model.to_owned(), ..ask.clone() }
}

/// What the cache did for a question.
pub(super) async fn status(sidecar: &Sidecar, ask: &Ask) -> String {
    sidecar.client().right(ask).await.header("cache-status").to_owned()
}
