//! Stores behind the dialect `generic`: reads are kept until their namespace is written to, whoever writes.

mod bodies;
mod examples;
mod fidelity;
mod interleaved;
mod reads;
mod replicas;
mod settings;
mod store;
mod writes;

use http::Method;

use crate::harness::{Answer, Client, Sidecar};
use store::Store;

const JSON: (&str, &str) = ("content-type", "application/json");

/// Routes of the store of these tests.
const ROUTES: &str = r#"
[[providers.store.routes]]
kind = "read"
path = "/c/{namespace}/get"
ttl = "60s"

[[providers.store.routes]]
kind = "read"
method = "GET"
path = "/c/{namespace}/keys/{key}"
ttl = "60s"

[[providers.store.routes]]
kind = "read"
path = "/get"
namespace = "/in/namespace"
ttl = "60s"

[[providers.store.routes]]
kind = "read"
path = "/everything"
ttl = "60s"

[[providers.store.routes]]
kind = "write"
path = "/c/{namespace}/*"

[[providers.store.routes]]
kind = "write"
path = "/put"
namespace = "/in/namespace"
"#;

/// A sidecar before a store, with these routes and other settings.
fn before(store: &Store, routes: &str, more: &str) -> Sidecar {
    let address = store.address();
    let provider =
        format!("[providers.store]\nbase_url = \"http://{address}\"\ndialect = \"generic\"\n");
    Sidecar::with(address, &format!("{provider}{routes}\n{more}"))
}

async fn send(client: &Client, method: Method, path: &str, body: &str) -> Answer {
    client.send(method, &format!("/store{path}"), &[JSON], body.to_owned()).await
}

async fn post(client: &Client, path: &str, body: &str) -> Answer {
    send(client, Method::POST, path, body).await
}

/// Reads a key, and says what is there and what the cache did.
async fn read(client: &Client, namespace: &str, key: &str) -> (u64, String) {
    let body = format!("{{\"key\":\"{key}\"}}");
    let answer = post(client, &format!("/c/{namespace}/get"), &body).await;
    (version(&answer), verdict(&answer))
}

/// Writes a key, and says which version it has now.
async fn write(client: &Client, namespace: &str, key: &str) -> u64 {
    let body = format!("{{\"key\":\"{key}\"}}");
    version(&send(client, Method::PUT, &format!("/c/{namespace}/set"), &body).await)
}

/// The sum of all series of a metric whose labels contain this.
async fn count(sidecar: &Sidecar, name: &str, labels: &str) -> String {
    format!("{:.0}", sidecar.metric(name, labels).await.abs())
}

fn version(answer: &Answer) -> u64 {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["version"].as_u64().unwrap_or_else(|| panic!("no version in {answer:?}"))
}

/// What the cache did, in a word.
fn verdict(answer: &Answer) -> String {
    match answer.header("cache-status") {
        hit if hit.starts_with("larder; hit") => "hit".to_owned(),
        "larder; fwd=miss; stored" => "stored".to_owned(),
        other => other.to_owned(),
    }
}
