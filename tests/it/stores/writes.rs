//! What a write makes forgotten, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;

use super::store::Store;
use super::{JSON, ROUTES, before, count, post, read, send, verdict, version, write};
use crate::harness::{Aside, Client, Gate, Scripted, Sidecar, json as answer, until};

/// Reads of two namespaces and of none, and what the cache did.
async fn three(client: &Client) -> [String; 3] {
    let all = verdict(&post(client, "/everything", "").await);
    [read(client, "a", "k").await.1, read(client, "b", "k").await.1, all]
}

#[tokio::test]
async fn a_write_forgets_its_namespace_and_what_is_not_known_to_be_another() {
    let store = Store::start();
    let sidecar = before(&store, ROUTES, "");
    let client = sidecar.client();
    three(&client).await;
    assert_eq!(three(&client).await, ["hit"; 3]);
    let (forgotten, kept) = ("stored", "hit");
    let own = [forgotten, kept, forgotten];
    let large = format!("{{\"in\":{{\"namespace\":\"a\"}},\"x\":\"{}\"}}", "x".repeat(1 << 20));
    for (method, path, body, right) in [
        (Method::PUT, "/c/a/set", "{\"key\":\"k\"}", own),
        (Method::DELETE, "/c/a/keys/k", "", own),
        (Method::PATCH, "/c/a/some/thing", "no JSON", own),
        (Method::POST, "/put", r#"{"key":"k","in":{"namespace":"a"}}"#, own),
        (Method::POST, "/put", &large, own),
        // Nobody knows of which namespace these are.
        (Method::POST, "/put", r#"{"key":"k"}"#, [forgotten; 3]),
        (Method::POST, "/put", "no JSON", [forgotten; 3]),
        (Method::PUT, "/c/%61/set", "{\"key\":\"k\"}", [forgotten; 3]),
        (Method::POST, "/c/a", "{}", [forgotten; 3]),
        (Method::POST, "/elsewhere", "{}", [forgotten; 3]),
        (Method::from_bytes(b"PURGE").unwrap(), "/elsewhere", "", [forgotten; 3]),
        // These change nothing.
        (Method::GET, "/elsewhere", "", [kept; 3]),
        (Method::HEAD, "/c/a/set", "", [kept; 3]),
        (Method::OPTIONS, "/c/a/set", "", [kept; 3]),
        (Method::PUT, "/c/c/set", "{\"key\":\"k\"}", [kept, kept, forgotten]),
    ] {
        send(&client, method.clone(), path, body).await;
        assert_eq!(three(&client).await, right, "{method} {path}");
    }
    let wrote = async |reach: &str| count(&sidecar, "larder_store_writes_total", reach).await;
    assert_eq!([wrote("\"namespace\"").await, wrote("reach=\"store\"").await], ["6", "6"]);
}

#[tokio::test]
async fn a_write_goes_through_as_it_came() {
    let provider = Scripted::start(|asked| async move {
        let body = json!({ "path": asked.path, "body": asked.body.len() });
        let mut said = answer(207, &body);
        said.headers_mut().insert("x-version", "7".parse().unwrap());
        Some(said)
    });
    let sidecar = of(&provider, ROUTES);
    let client = sidecar.client();
    let body = "{ \"in\": {\"namespace\": \"a\"} }\n";
    let got = client.send(Method::POST, "/store/put?wait=true", &[JSON], body).await;
    assert_eq!((got.status, got.header("x-version")), (207, "7"));
    assert_eq!(got.header("cache-status"), "larder; fwd=bypass; detail=write");
    assert_eq!(got.text(), json!({ "path": "/put?wait=true", "body": body.len() }).to_string());
    assert_eq!(provider.calls()[0].body, body);
    // Coded, or not in JSON, it is still a write.
    for header in [("content-encoding", "gzip"), ("content-type", "application/x-ndjson")] {
        client.send(Method::POST, "/store/put", &[header], "\x1f whatever").await;
    }
    assert_eq!(provider.calls()[2].body, "\x1f whatever");
    let wrote = async |reach: &str| count(&sidecar, "larder_store_writes_total", reach).await;
    assert_eq!([wrote("\"namespace\"").await, wrote("reach=\"store\"").await], ["1", "2"]);
}

/// A provider whose reads see a write only where the test has let it happen, and are held where it wants.
#[derive(Clone)]
struct Stage {
    written: Arc<AtomicBool>,
    reads: Gate,
    writes: Gate,
}

impl Stage {
    fn start() -> (Self, Scripted) {
        let stage = Self { written: Arc::default(), reads: Gate::closed(), writes: Gate::closed() };
        let inside = stage.clone();
        let provider = Scripted::start(move |asked| {
            let Stage { written, reads, writes } = inside.clone();
            async move {
                let is_read = asked.path.ends_with("/get");
                let seen = u64::from(written.load(Ordering::SeqCst));
                if is_read {
                    reads.pass().await;
                } else {
                    writes.pass().await;
                }
                if !is_read {
                    written.store(true, Ordering::SeqCst);
                }
                Some(answer(200, &json!({ "version": if is_read { seen } else { 1 } })))
            }
        });
        (stage, provider)
    }
}

fn of(provider: &Scripted, routes: &str) -> Sidecar {
    let settings = format!(
        "[providers.store]\nbase_url = \"http://{}\"\ndialect = \"generic\"\n{routes}",
        provider.address
    );
    Sidecar::with(provider.address, &settings)
}

#[tokio::test]
async fn a_read_that_a_write_overtakes_is_given_to_nobody_who_asks_later() {
    let (stage, provider) = Stage::start();
    let sidecar = of(&provider, ROUTES);
    let early = Aside::start({
        let client = sidecar.client();
        async move { read(&client, "a", "k").await }
    });
    provider.called(1).await;
    stage.writes.open();
    let client = sidecar.client();
    assert_eq!(write(&client, "a", "k").await, 1);
    // The early one is still under way, and nobody may read along.
    let late = Aside::start({
        let client = sidecar.client();
        async move { read(&client, "a", "k").await }
    });
    provider.called(3).await;
    stage.reads.open();
    assert_eq!(early.done().await.0, 0);
    assert_eq!(late.done().await.0, 1);
    assert_eq!(read(&client, "a", "k").await, (1, "hit".to_owned()));
    until("it is told", || async {
        sidecar.metric("larder_store_reads_total", "outdated").await > 0.5
    })
    .await;
}

#[tokio::test]
async fn a_read_of_while_a_write_is_under_way_is_forgotten_when_it_is_done() {
    let (stage, provider) = Stage::start();
    let sidecar = of(&provider, ROUTES);
    stage.reads.open();
    let writing = Aside::start({
        let client = sidecar.client();
        async move { write(&client, "a", "k").await }
    });
    provider.called(1).await;
    let client = sidecar.client();
    assert_eq!(read(&client, "a", "k").await, (0, "stored".to_owned()));
    assert_eq!(read(&client, "a", "k").await, (0, "hit".to_owned()));
    stage.writes.open();
    assert_eq!(writing.done().await, 1);
    assert_eq!(read(&client, "a", "k").await, (1, "stored".to_owned()));
}

#[tokio::test]
async fn a_write_of_which_nobody_knows_what_became_forgets_too() {
    // Cut off, refused in time, given up by its client.
    let store = Store::slow(0, 100);
    let sidecar = before(&store, ROUTES, "");
    let client = sidecar.client();
    read(&client, "a", "k").await;
    let cut = send(&client, Method::PUT, "/c/a/set", "{\"key\":\"k\"}").await;
    assert_eq!(cut.header("x-larder-error"), "upstream_unreachable");
    assert_eq!(read(&client, "a", "k").await, (1, "stored".to_owned()));

    let (stage, provider) = Stage::start();
    let sidecar = of(&provider, &format!("first_byte_timeout = \"200ms\"\n{ROUTES}"));
    stage.reads.open();
    let client = sidecar.client();
    read(&client, "a", "k").await;
    let late = send(&client, Method::PUT, "/c/a/set", "{\"key\":\"k\"}").await;
    assert_eq!(late.header("x-larder-error"), "upstream_timeout");
    assert_eq!(read(&client, "a", "k").await.1, "stored");

    let (stage, provider) = Stage::start();
    let sidecar = of(&provider, ROUTES);
    stage.reads.open();
    let client = sidecar.client();
    let uri = format!("http://{}/store/c/a/set", sidecar.proxy);
    let leaving = sidecar.client();
    let left = Aside::start(async move {
        let request = Request::put(uri).body(Full::new("{}".into())).unwrap();
        leaving.try_send(request).await.map(|_| ())
    });
    provider.called(1).await;
    read(&client, "a", "k").await;
    drop(left);
    until("it is forgotten", || async { read(&client, "a", "k").await.1 == "stored" }).await;
}

#[tokio::test]
async fn what_is_read_before_a_write_is_seen_everywhere_is_not_kept() {
    let store = Store::start();
    let slow = "kind = \"write\"\nsettles = \"1s\"";
    let sidecar = before(&store, &ROUTES.replacen("kind = \"write\"", slow, 1), "");
    let client = sidecar.client();
    assert_eq!(read(&client, "a", "k").await.1, "stored");
    assert_eq!(write(&client, "a", "k").await, 1);
    for _ in 0..3 {
        assert_eq!(read(&client, "a", "k").await, (1, "larder; fwd=miss".to_owned()));
        assert_eq!(read(&client, "b", "k").await.0, 0);
    }
    assert_eq!(read(&client, "b", "k").await.1, "hit");
    assert_eq!(count(&sidecar, "larder_store_reads_total", "unsettled").await, "3");
    tokio::time::sleep(Duration::from_secs(1)).await;
    until("it has settled", || async { read(&client, "a", "k").await.1 == "hit" }).await;
    // Of what is known of nothing else it is assumed as well.
    assert_eq!(version(&post(&client, "/elsewhere", "{}").await), 1);
    assert_eq!(read(&client, "b", "k").await.1, "larder; fwd=miss");
}
