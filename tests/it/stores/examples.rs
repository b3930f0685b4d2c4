//! The examples, as they are shipped, before stores that answer whatever they are asked.

use std::fs;
use std::path::Path;

use http::Method;
use serde_json::json;

use super::{JSON, verdict};
use crate::harness::{Client, Scripted, Sidecar, json as answer};

/// A request: method, path, body.
type Request = (&'static str, &'static str, &'static str);

async fn ask(client: &Client, (method, path, body): Request) -> String {
    verdict(&client.send(method.parse::<Method>().unwrap(), path, &[JSON], body).await)
}

/// Runs an example: what it forgets for each write, of some reads.
async fn run(name: &str, base_url: &str, reads: &[Request], writes: &[(Request, &[bool])]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(name);
    let provider =
        Scripted::start(
            |asked| async move { Some(answer(200, &json!({ "number": asked.number }))) },
        );
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(base_url), "{name}");
    let here = format!("http://{}", provider.address);
    // What is to be seen here is which writes reach which reads.
    let text = text.replace(base_url, &here);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("settles")).collect();
    let sidecar = Sidecar::with(provider.address, &lines.join("\n"));
    let client = sidecar.client();
    for read in reads {
        assert_eq!(ask(&client, *read).await, "stored", "{read:?}");
    }
    for (write, forgets) in writes {
        assert_eq!(ask(&client, *write).await, "larder; fwd=bypass; detail=write", "{write:?}");
        for (read, is_forgotten) in reads.iter().zip(*forgets) {
            let right = if *is_forgotten { "stored" } else { "hit" };
            assert_eq!(ask(&client, *read).await, right, "{read:?} after {write:?}");
        }
    }
}

#[tokio::test]
async fn qdrant() {
    let reads = [
        ("POST", "/qdrant/collections/docs/points/query", r#"{"query":[0.1],"limit":3}"#),
        ("POST", "/qdrant/collections/docs/points/query/batch", r#"{"searches":[]}"#),
        ("POST", "/qdrant/collections/docs/points", r#"{"ids":[1]}"#),
        ("GET", "/qdrant/collections/docs/points/1", ""),
        ("POST", "/qdrant/collections/others/points/scroll", "{}"),
    ];
    let one = &[true, true, true, true, false];
    let writes: [(Request, &[bool]); 6] = [
        (("PUT", "/qdrant/collections/docs/points?wait=true", r#"{"points":[]}"#), one),
        (("POST", "/qdrant/collections/docs/points/delete", r#"{"points":[1]}"#), one),
        (("POST", "/qdrant/collections/docs/points/payload", "{}"), one),
        (("DELETE", "/qdrant/collections/docs", ""), &[true; 5]),
        (("POST", "/qdrant/collections/aliases", r#"{"actions":[]}"#), &[true; 5]),
        (("PUT", "/qdrant/collections/more/points", r#"{"points":[]}"#), &[false; 5]),
    ];
    run("qdrant.toml", "http://127.0.0.1:6333", &reads, &writes).await;
}

#[tokio::test]
async fn pinecone() {
    let reads = [
        ("POST", "/pinecone/query", r#"{"namespace":"one","vector":[0.1],"topK":3}"#),
        ("POST", "/pinecone/query", r#"{"namespace":"two","vector":[0.1],"topK":3}"#),
        ("POST", "/pinecone/query", r#"{"vector":[0.1],"topK":3}"#),
        ("POST", "/pinecone/records/namespaces/one/search", r#"{"query":{}}"#),
        ("GET", "/pinecone/vectors/fetch?ids=1&namespace=two", ""),
    ];
    let one = &[true, false, true, true, true];
    let writes: [(Request, &[bool]); 4] = [
        (("POST", "/pinecone/vectors/upsert", r#"{"vectors":[],"namespace":"one"}"#), one),
        (("POST", "/pinecone/records/namespaces/one/upsert", "{}\n{}"), one),
        // The namespace that has no name.
        (("POST", "/pinecone/vectors/delete", r#"{"deleteAll":true}"#), &[true; 5]),
        (("DELETE", "/pinecone/namespaces/one", ""), &[true; 5]),
    ];
    let base_url = "https://INDEX-PROJECT.svc.REGION.pinecone.io";
    run("pinecone.toml", base_url, &reads, &writes).await;
}

#[tokio::test]
async fn documents() {
    let reads = [
        ("POST", "/documents/action/find", r#"{"database":"d","collection":"a","filter":{}}"#),
        ("POST", "/documents/action/findOne", r#"{"database":"d","collection":"b","filter":{}}"#),
    ];
    let writes: [(Request, &[bool]); 3] = [
        (("POST", "/documents/action/insertOne", r#"{"collection":"a"}"#), &[true, false]),
        (("POST", "/documents/action/updateMany", r#"{"collection":"b"}"#), &[false, true]),
        (("POST", "/documents/action/aggregate", r#"{"collection":"a"}"#), &[true, true]),
    ];
    run("mongo-data-api-like.toml", "http://127.0.0.1:8081", &reads, &writes).await;
}

#[tokio::test]
async fn neo4j() {
    let path = "/neo4j/db/movies/query/v2";
    let read = ("POST", path, r#"{"statement":"MATCH (n) RETURN n.title"}"#);
    let other = ("POST", "/neo4j/db/people/query/v2", r#"{"statement":"match (n) return n"}"#);
    let one = &[true, false];
    let writes: [(Request, &[bool]); 4] = [
        (("POST", path, r#"{"statement":"CREATE (n:Film)"}"#), one),
        (("POST", path, r#"{"statement":"MATCH (n)\nSET n.title = 'x'"}"#), one),
        (("POST", path, r#"{"statement":"MATCH (n) CALL some.procedure(n) RETURN 1"}"#), one),
        (("POST", "/neo4j/db/movies/tx", "{}"), one),
    ];
    run("neo4j.toml", "http://127.0.0.1:7474", &[read, other], &writes).await;
}
