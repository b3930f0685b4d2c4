//! Spans of what goes wrong, of what is in confidence, and a collector that is not there.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;

use super::{chat, collector, named, provider, spans, told, traced};
use crate::harness::{
    Ask, Client, Gate, Scripted, Sidecar, all, free_port, json as reply, texts, until,
};

#[tokio::test]
async fn what_goes_wrong_is_told() {
    let provider = Scripted::start(|asked| async move {
        if asked.holds("cut") {
            return None;
        }
        Some(reply(400, &json!({ "error": { "message": "no" } })))
    });
    let collector = collector();
    let more = "[providers.openai]\nretry_percent = 0\n";
    let sidecar = traced(&provider, &collector, more);
    let client = sidecar.client();
    client.embed(&Ask::of(["refused"])).await;
    let spans = told(&collector, 4).await;
    let (server, upstream) = (named(&spans, "embeddings"), named(&spans, "upstream"));
    assert!(upstream.is_error() && !server.is_error());
    assert_eq!(upstream.says("error.type"), "400");
    assert_eq!(server.says("http.response.status_code"), "400");
    client.embed(&Ask::of(["cut"])).await;
    // Of a wait nothing is known.
    let spans = told(&collector, 4 + 3).await.split_off(4);
    let (server, upstream) = (named(&spans, "embeddings"), named(&spans, "upstream"));
    assert!(upstream.is_error() && server.is_error());
    assert_eq!(upstream.says("error.type"), "provider_unreachable");
    assert_eq!(server.says("error.type"), "upstream_unreachable");
    assert_eq!(server.says("http.response.status_code"), "502");
}

#[tokio::test]
async fn nothing_of_a_request_is_in_a_span() {
    let (provider, collector) = (provider(), collector());
    let sidecar = traced(&provider, &collector, "");
    let client = sidecar.client();
    let secret = [("authorization", "Bearer CanaryKey"), ("x-api-key", "CanaryHeader")];
    let ask = Ask::of(["CanaryText"]).header("authorization", "Bearer CanaryKey");
    for _ in 0..2 {
        client.right(&ask).await;
    }
    let messages = json!([{ "role": "user", "content": "CanaryWords" }]);
    chat(&client, &secret, &json!({ "model": "m", "temperature": 0, "messages": messages })).await;
    let paths = ["/v1/files/CanaryPath?key=CanaryQuery", "/v1/embeddings?api-key=CanaryQuery"];
    for path in paths {
        client.send(Method::from_bytes(b"CANARYVERB").unwrap(), path, &secret, "CanaryBody").await;
    }
    let long = "m".repeat(10_000);
    let mut ask = Ask::of(["long"]);
    ask.model = long.clone();
    client.right(&ask).await;
    let spans = told(&collector, 4 + 2 + 3 + 2 + 2 + 4).await;
    let told: String = collector.calls().iter().map(|call| call.json().to_string()).collect();
    assert!(!told.to_lowercase().contains("canary"), "{told}");
    let longest = spans.iter().map(|span| span.says("gen_ai.request.model").len()).max();
    assert_eq!(longest, Some(128));
    for call in collector.calls() {
        assert!(!format!("{:?}", call.headers).to_lowercase().contains("canary"));
    }
}

async fn ask_a_hundred_times(client: &Client) {
    let asking = std::iter::repeat_n(client.clone(), 100);
    let asking =
        asking.map(|client| async move { client.right(&Ask::of(texts("there", 1))).await });
    all(asking.collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_nobody_anything() {
    let provider = provider();
    let silent = Gate::closed();
    let slow = Scripted::behind(&silent);
    let gone = free_port();
    for address in [slow.address.to_string(), format!("127.0.0.1:{gone}")] {
        let config = format!("[traces]\nendpoint = \"http://{address}\"\n");
        let sidecar = Sidecar::with(provider.address, &config);
        let client = sidecar.client();
        client.right(&Ask::of(texts("there", 1))).await;
        let started = Instant::now();
        for _ in 0..30 {
            ask_a_hundred_times(&client).await;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        until("spans are dropped", || async {
            sidecar.metric("larder_traces_dropped_total", "").await > 0.0
        })
        .await;
        let memory = sidecar.memory("VmHWM");
        assert!(memory < 200 << 20, "{memory}");
        let told = sidecar.log().matches("trace export failed").count();
        assert!(told <= 1, "{}", sidecar.log());
    }
}

#[tokio::test]
async fn what_is_left_is_sent_at_the_end() {
    let (provider, collector) = (provider(), collector());
    let mut sidecar = traced(&provider, &collector, "");
    sidecar.client().right(&Ask::of(texts("last", 1))).await;
    sidecar.signal("TERM");
    assert!(sidecar.ended().await.success());
    assert_eq!(spans(&collector).len(), 4);
}
