//! The line of each request in the log (`log.requests`).

use serde_json::Value;

use crate::harness::{Ask, Sidecar, Simulated, until};

const CONFIG: &str = "[log]\nrequests = true\nformat = \"json\"\n";

/// The lines of answered requests.
fn answered(sidecar: &Sidecar) -> Vec<Value> {
    let log = sidecar.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == "response sent").collect()
}

#[tokio::test]
async fn a_line_is_flat_and_has_numbers_and_no_secret() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, CONFIG);
    let ask = Ask::of(["canary text", "another"])
        .header("x-request-id", "client-7")
        .header("authorization", "Bearer canary-key")
        .path("/openai/v1/embeddings?api_key=canary-query");
    sidecar.client().right(&ask).await;
    let mut more = ask.clone();
    more.inputs.extend(Ask::of(["third"]).inputs);
    sidecar.client().right(&more).await;
    until("both are logged", || async { answered(&sidecar).len() == 2 }).await;
    let lines = answered(&sidecar);
    let line = &lines[1];
    assert_eq!(line["path"], "/openai/v1/embeddings", "as the client sent it: {line}");
    assert_eq!(line["model"], "text-embedding-3-small", "{line}");
    assert_eq!(line["request_id"], "client-7", "{line}");
    assert!(lines[0]["upstream_request_id"].is_string(), "{}", lines[0]);
    assert_eq!(
        (&line["hit"], &line["collapsed"], &line["miss"]),
        (&2.into(), &0.into(), &1.into())
    );
    assert_eq!((&line["status"], &line["method"]), (&200.into(), &"POST".into()), "{line}");
    assert!(line["milliseconds"].is_f64() && line["fields"].is_null(), "{line}");
    let log = sidecar.log();
    assert!(!log.contains("canary"), "{log}");
}
