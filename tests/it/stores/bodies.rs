//! Stores that read and write on one path, types of JSON with a suffix, and short times until a write is seen.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::JSON;
use crate::harness::{Answer, Client, Scripted, Sidecar, json as whole};

/// A graph database: both kinds of statement go to one path, and so do GraphQL's.
const ROUTES: &str = r#"
dialect = "generic"

[[providers.graph.routes]]
kind = "read"
path = "/db/{namespace}/query/v2"
body = "/statement"
matches = '(?i)^\s*(MATCH|RETURN|WITH|UNWIND)\b'
matches_not = '(?i)\b(CREATE|MERGE|SET|DELETE|REMOVE|CALL|LOAD)\b'
ttl = "1h"

[[providers.graph.routes]]
kind = "write"
path = "/db/{namespace}/query/v2"

[[providers.graph.routes]]
kind = "read"
path = "/graphql"
body = "/query"
matches = '^\s*(query\b|\{)'
matches_not = '\b(mutation|subscription)\b'
ttl = "1h"

[[providers.graph.routes]]
kind = "read"
path = "/{namespace}/_search"
ttl = "1h"
"#;

fn stage(routes: &str) -> (Scripted, Sidecar) {
    let provider = Scripted::start(|asked| async move {
        let mut response = whole(200, &json!({ "number": asked.number }));
        if let Some(media_type) = asked.headers.get("accept") {
            response.headers_mut().insert("content-type", media_type.clone());
        }
        Some(response)
    });
    let config = format!("[providers.graph]\nbase_url = \"http://{}\"\n{routes}", provider.address);
    let sidecar = Sidecar::of_file(&config);
    (provider, sidecar)
}

async fn post(client: &Client, path: &str, body: &str) -> Answer {
    client.send(Method::POST, &format!("/graph{path}"), &[JSON], body.to_owned()).await
}

/// The state of the cache for a request, in a word.
async fn says(client: &Client, path: &str, body: &str) -> String {
    let answer = post(client, path, body).await;
    let status = answer.header("cache-status").trim_start_matches("larder; ").to_owned();
    let first = status.split("; ").take(2).collect::<Vec<_>>().join(" ");
    if first.starts_with("hit") { "hit".to_owned() } else { first }
}

#[tokio::test]
async fn reads_are_told_from_writes_by_their_bodies_where_both_have_one_path() {
    let (provider, sidecar) = stage(ROUTES);
    let client = sidecar.client();
    let path = "/db/a/query/v2";
    let read = r#"{"statement":"MATCH (n) RETURN n"}"#;
    assert_eq!(says(&client, path, read).await, "fwd=miss stored");
    assert_eq!(says(&client, path, read).await, "hit");
    for write in [
        r#"{"statement":"MATCH (n) SET n.x = 1"}"#,
        r#"{"statement":"CREATE (n)"}"#,
        r#"{"statement":"MATCH (n) RETURN n","statement":"CREATE (n)"}"#,
        r#"{"statement":7}"#,
        "[]",
        "{",
    ] {
        assert_eq!(says(&client, path, write).await, "fwd=bypass detail=write", "{write}");
        // Forgotten, and of another database not.
        assert_eq!(says(&client, path, read).await, "fwd=miss stored", "{write}");
        assert_eq!(says(&client, path, read).await, "hit");
    }
    let other = "/db/b/query/v2";
    assert_eq!(says(&client, other, read).await, "fwd=miss stored");
    let write = r#"{"statement":"CREATE (n)"}"#;
    assert_eq!(says(&client, path, write).await, "fwd=bypass detail=write");
    assert_eq!(says(&client, other, read).await, "hit");
    // Without a route for it, a mutation may change anything.
    let query = r#"{"query":"{ me }"}"#;
    assert_eq!(says(&client, "/graphql", query).await, "fwd=miss stored");
    assert_eq!(says(&client, "/graphql", query).await, "hit");
    let mutation = r#"{"query":"mutation { me }"}"#;
    assert_eq!(says(&client, "/graphql", mutation).await, "fwd=bypass detail=write");
    assert_eq!(says(&client, "/graphql", query).await, "fwd=miss stored");
    assert_eq!(says(&client, other, read).await, "fwd=miss stored");
    // The body goes on as it came.
    let calls = provider.calls();
    assert!(calls.iter().any(|call| call.body == mutation.as_bytes()));
    let reads = sidecar.metric("larder_requests_total", "operation=\"read\"").await;
    assert!((reads - 20.0).abs() < 0.5, "{reads}");
}

#[tokio::test]
async fn a_caller_of_a_path_that_the_body_decides_says_what_it_wants_of_the_cache() {
    let (provider, sidecar) = stage(ROUTES);
    let client = sidecar.client();
    let read = r#"{"statement":"MATCH (n) RETURN n"}"#;
    let ask = async |name: &'static str, value: &'static str| {
        let headers = [JSON, (name, value)];
        let answer = client.send(Method::POST, "/graph/db/a/query/v2", &headers, read).await;
        answer.header("cache-status").to_owned()
    };
    assert_eq!(ask("cache-control", "only-if-cached").await, "larder; detail=only-if-cached");
    assert_eq!(provider.calls().len(), 0);
    assert_eq!(ask("cache-control", "no-store").await, "larder; fwd=bypass; detail=no-store");
    assert_eq!(ask("accept", "text/csv").await, "larder; fwd=bypass; detail=accept");
}

#[tokio::test]
async fn json_of_a_store_s_own_type_is_json() {
    let (provider, sidecar) = stage(ROUTES);
    let client = sidecar.client();
    let own = |version| format!("application/vnd.elasticsearch+json; compatible-with={version}");
    let (seven, eight) = (own(7), own(8));
    for (number, media_type) in [&*eight, &*seven, "application/json"].into_iter().enumerate() {
        let headers = [("content-type", media_type), ("accept", media_type)];
        for again in 0..2 {
            let path = "/graph/docs/_search";
            let answer = client.send(Method::POST, path, &headers, "{\"query\":{}}").await;
            let is_hit = answer.header("cache-status").starts_with("larder; hit");
            assert_eq!(is_hit, again == 1, "{media_type}: {answer:?}");
            assert_eq!(answer.header("content-type"), media_type);
            assert_eq!(provider.calls().len(), number + 1);
        }
    }
}

#[tokio::test]
async fn a_write_that_settles_in_300_ms_keeps_reads_out_of_the_cache_for_300_ms() {
    let routes = "dialect = \"generic\"\n[[providers.graph.routes]]\nkind = \"read\"\n\
        path = \"/get\"\nttl = \"1h\"\n[[providers.graph.routes]]\nkind = \"write\"\n\
        path = \"/set\"\nsettles = \"300ms\"\n";
    let (_provider, sidecar) = stage(routes);
    let client = sidecar.client();
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(says(&client, "/set", "{}").await, "fwd=bypass detail=write");
        let answered = Instant::now();
        loop {
            let (before, said) = (Instant::now(), says(&client, "/get", "{}").await);
            if said == "fwd=miss stored" {
                let most = Duration::from_millis(900);
                assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
                assert!(before - answered < most, "{:?}", before - answered);
                break;
            }
            assert_eq!(said, "fwd=miss");
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(says(&client, "/get", "{}").await, "hit");
    }
}
