//! Spans: what a collector is told of a request, what a provider is told of its trace, and that neither
//! costs a request anything.

use std::time::Duration;

mod otel;
mod trouble;

use http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{
    Aside, Ask, Client, Gate, Scripted, Sidecar, answer, json as reply, texts, until,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// A collector that takes whatever comes.
fn collector() -> Scripted {
    Scripted::start(|_| async { Some(reply(200, &json!({}))) })
}

/// A provider that answers rightly.
fn provider() -> Scripted {
    Scripted::start(|asked| async move { Some(reply(200, &answer(&asked))) })
}

fn traced(provider: &Scripted, collector: &Scripted, more: &str) -> Sidecar {
    let address = collector.address;
    let config =
        format!("[traces]\nendpoint = \"http://{address}\"\nprotocol = \"http/json\"\n{more}");
    Sidecar::with(provider.address, &config)
}

/// A span as a collector was told of it.
#[derive(Debug, Clone)]
struct Span(Value);

impl Span {
    fn get(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// What is said of it; a number as its digits.
    fn says(&self, name: &str) -> &str {
        let all = self.0["attributes"].as_array().unwrap();
        let found = all.iter().find(|attribute| attribute["key"] == name);
        let Some(value) = found.map(|attribute| &attribute["value"]) else { return "" };
        value["stringValue"].as_str().or(value["intValue"].as_str()).unwrap()
    }

    fn nanoseconds(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap()
    }

    /// Whether it is of the call (`upstream`), of a request for this operation, or of this part.
    fn is(&self, name: &str) -> bool {
        match name {
            "upstream" => self.0["kind"] == 3,
            "embeddings" | "chat" => {
                self.0["kind"] == 2 && self.get("name").split(' ').next() == Some(name)
            }
            _ => self.get("name") == name,
        }
    }

    fn links(&self) -> Vec<String> {
        let links = self.0["links"].as_array().unwrap();
        links.iter().map(|link| link["spanId"].as_str().unwrap().to_owned()).collect()
    }

    fn is_error(&self) -> bool {
        self.0["status"]["code"] == 2
    }

    fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.get("traceId"), self.get("spanId"))
    }
}

fn spans(collector: &Scripted) -> Vec<Span> {
    let mut spans = Vec::new();
    for call in collector.calls() {
        assert_eq!(call.path, "/v1/traces");
        assert_eq!(call.headers["content-type"], "application/json");
        let message = call.json();
        let resource = &message["resourceSpans"][0];
        let name = json!({ "key": "service.name", "value": { "stringValue": "larder" } });
        assert_eq!(resource["resource"]["attributes"][0], name);
        let told = resource["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        spans.extend(told.into_iter().map(Span));
    }
    spans
}

/// So many spans, once they are there, and no more.
async fn told(collector: &Scripted, count: usize) -> Vec<Span> {
    until(&format!("{count} spans"), || async { spans(collector).len() >= count }).await;
    let spans = spans(collector);
    assert_eq!(spans.len(), count, "{spans:#?}");
    spans
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let mut all = spans.iter().filter(|span| span.is(name));
    let found = all.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
    assert!(all.next().is_none(), "several of {name} in {spans:#?}");
    found
}

async fn chat(client: &Client, headers: &[(&str, &str)], body: &Value) {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers);
    client.send(Method::POST, "/v1/chat/completions", &all, body.to_string()).await;
}

#[tokio::test]
async fn a_miss_and_a_hit_are_told_and_the_provider_is_in_the_trace() {
    let (provider, collector) = (provider(), collector());
    let sidecar = traced(&provider, &collector, "sample = 0.0\n");
    let ask = Ask::of(texts("traced", 2))
        .header("traceparent", SAMPLED)
        .header("tracestate", "vendor=1,other=2");
    sidecar.client().right(&ask).await;
    let spans = told(&collector, 4).await;
    let [server, upstream, cache, queue] =
        ["embeddings", "upstream", "cache", "queue"].map(|name| named(&spans, name));
    assert!(spans.iter().all(|span| span.get("traceId") == TRACE));
    assert_eq!(server.get("parentSpanId"), PARENT);
    for child in [upstream, cache, queue] {
        assert_eq!(child.get("parentSpanId"), server.get("spanId"));
        assert!(child.nanoseconds("startTimeUnixNano") >= server.nanoseconds("startTimeUnixNano"));
        assert!(child.nanoseconds("endTimeUnixNano") <= server.nanoseconds("endTimeUnixNano"));
    }
    assert_eq!([&server.0["kind"], &upstream.0["kind"], &cache.0["kind"]], [2, 3, 1]);
    for span in [server, upstream] {
        assert_eq!(span.says("gen_ai.operation.name"), "embeddings");
        assert_eq!(span.says("gen_ai.provider.name"), "openai");
        assert_eq!(span.says("gen_ai.request.model"), "text-embedding-3-small");
        assert_eq!(span.says("http.response.status_code"), "200");
        assert!(!span.is_error() && span.says("error.type").is_empty() && span.links().is_empty());
    }
    assert_eq!(server.says("http.request.method"), "POST");
    assert_eq!(server.says("larder.cache"), "larder; fwd=miss; stored");
    assert_eq!(server.says("larder.items.miss"), "2");
    let tokens = server.says("gen_ai.usage.input_tokens").to_owned();
    assert!(tokens.parse::<u64>().unwrap() > 0);
    let call = &provider.calls()[0];
    assert_eq!(call.headers["traceparent"], upstream.traceparent());
    assert_eq!(call.headers["tracestate"], "vendor=1,other=2");
    // In the same bytes, and as it is read.
    for (times, ask) in [(1, ask.clone()), (2, ask.header("x-request-id", "another"))] {
        sidecar.client().right(&ask).await;
        let spans = told(&collector, 4 + 2 * times).await.split_off(2 + 2 * times);
        let hit = named(&spans, "embeddings");
        assert_eq!(hit.says("larder.cache"), "larder; hit; detail=memory");
        assert_eq!(hit.says("larder.items.hit"), "2");
        assert_eq!(hit.says("gen_ai.request.model"), "text-embedding-3-small");
        assert_eq!(hit.says("gen_ai.usage.input_tokens"), tokens);
        assert_eq!(named(&spans, "cache").get("parentSpanId"), hit.get("spanId"));
    }
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn who_is_traced_is_for_the_caller_to_say_and_else_for_the_settings() {
    let (provider, collector) = (provider(), collector());
    let sidecar = traced(&provider, &collector, "sample = 0.0\n");
    let client = sidecar.client();
    let ask = |name: &str, parent: &str| {
        Ask::of(texts(name, 1)).header("traceparent", parent).header("tracestate", "vendor=1")
    };
    client.right(&ask("undecided", "nonsense")).await;
    client.right(&ask("decided", UNSAMPLED)).await;
    client.right(&Ask::of(texts("silent", 1))).await;
    client.right(&ask("sampled", SAMPLED)).await;
    told(&collector, 4).await;
    let seen: Vec<String> = provider
        .calls()
        .iter()
        .map(|call| {
            let value = call.headers.get("traceparent");
            value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        })
        .collect();
    // What is not traced here passes through as it came.
    assert_eq!(seen[..3], ["nonsense", UNSAMPLED, ""]);
    assert!(seen[3].starts_with(&SAMPLED[..36]) && seen[3] != SAMPLED);

    let collector = self::collector();
    let sidecar = traced(&provider, &collector, "");
    let client = sidecar.client();
    client.right(&ask("decided", UNSAMPLED)).await;
    client.right(&ask("undecided", "nonsense")).await;
    let spans = told(&collector, 4).await;
    let call = provider.calls().pop().unwrap();
    assert_eq!(call.headers["traceparent"], named(&spans, "upstream").traceparent());
    assert!(named(&spans, "embeddings").get("parentSpanId").is_empty());
    // It was of a trace that nobody knows.
    assert!(!call.headers.contains_key("tracestate"));
}

#[tokio::test]
async fn without_a_collector_everything_passes_through() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let ask =
        Ask::of(texts("plain", 1)).header("traceparent", SAMPLED).header("tracestate", "vendor=1");
    sidecar.client().right(&ask).await;
    let call = &provider.calls()[0];
    assert_eq!(call.headers["traceparent"], SAMPLED);
    assert_eq!(call.headers["tracestate"], "vendor=1");
}

#[tokio::test]
async fn a_call_names_all_whom_it_serves_and_they_name_it() {
    let gate = Gate::closed();
    let (provider, collector) = (Scripted::behind(&gate), collector());
    let config = "[providers.openai]\nbatch_gap = \"10s\"\nmax_connections = 1\n";
    let sidecar = traced(&provider, &collector, config);
    let client = sidecar.client();
    let asking = |name: &'static str| {
        let client = client.clone();
        Aside::start(async move { client.right(&Ask::of(texts(name, 1))).await })
    };
    let first = asking("first");
    provider.called(1).await;
    // Two that wait for the connection, and one that asks what is on its way.
    let others = [asking("second"), asking("third")];
    sidecar.until("larder_flights", 3.0).await;
    let follower = asking("first");
    sidecar.until("larder_cache_lookups_total", 4.0).await;
    sleep(Duration::from_millis(50)).await;
    gate.open();
    for asked in [first, follower].into_iter().chain(others) {
        asked.done().await;
    }
    assert_eq!(provider.calls().len(), 2);
    // Who did not wait long has no span for it.
    let count = |spans: &[Span], name: &str| spans.iter().filter(|span| span.is(name)).count();
    until("all have ended", || async { count(&spans(&collector), "embeddings") == 4 }).await;
    let spans = spans(&collector);
    let of = |name: &str| -> Vec<&Span> { spans.iter().filter(|span| span.is(name)).collect() };
    let (servers, calls) = (of("embeddings"), of("upstream"));
    let by_id = |id: &str| servers.iter().find(|span| span.get("spanId") == id).unwrap();
    let call = calls.iter().find(|call| !call.links().is_empty()).unwrap();
    let lone = calls.iter().find(|call| call.links().is_empty()).unwrap();
    assert_eq!(provider.calls()[1].headers["traceparent"], call.traceparent());
    let other = by_id(&call.links()[0]);
    assert_eq!(other.links(), [call.get("spanId")]);
    assert_ne!(other.get("traceId"), call.get("traceId"));
    assert!(by_id(call.get("parentSpanId")).links().is_empty());
    let follower = servers.iter().find(|span| span.says("larder.cache").contains("collapsed"));
    assert_eq!(follower.unwrap().links(), [lone.get("spanId")]);
    assert!(by_id(lone.get("parentSpanId")).links().is_empty());
}

#[tokio::test]
async fn streams_and_what_is_relayed_are_told_at_their_ends() {
    const EVENTS: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\n\
        data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n\
        data: [DONE]\n\n";
    let provider = Scripted::start(|_| async {
        let mut answer = reply(200, &json!(null)).map(|_| EVENTS.to_owned().into());
        let events = "text/event-stream".parse().unwrap();
        answer.headers_mut().insert("content-type", events);
        Some(answer)
    });
    let collector = collector();
    let sidecar = traced(&provider, &collector, "");
    let client = sidecar.client();
    let mut body = json!({ "model": "m", "temperature": 0, "stream": true, "messages": [] });
    chat(&client, &[], &body).await;
    let spans = told(&collector, 3).await;
    let (server, upstream) = (named(&spans, "chat"), named(&spans, "upstream"));
    for span in [server, upstream] {
        assert_eq!(span.says("gen_ai.operation.name"), "chat");
        assert_eq!(span.says("gen_ai.request.model"), "m");
        assert_eq!(span.says("gen_ai.usage.input_tokens"), "7");
        assert_eq!(span.says("gen_ai.usage.output_tokens"), "5");
        assert!(!span.is_error() && span.says("error.type").is_empty());
    }
    assert_eq!(server.says("larder.cache"), "larder; fwd=miss");
    assert_eq!(provider.calls()[0].headers["traceparent"], upstream.traceparent());
    body["temperature"] = json!(1);
    chat(&client, &[], &body).await;
    client.get("/v1/models").await;
    let spans = told(&collector, 3 + 2 + 2).await.split_off(3);
    for (server, cache) in [("chat", "temperature"), ("request", "relay")] {
        let server = named(&spans, server);
        assert_eq!(server.says("larder.cache"), format!("larder; fwd=bypass; detail={cache}"));
        assert!(!server.is_error() && server.says("error.type").is_empty());
        let is_its = |span: &&Span| span.get("parentSpanId") == server.get("spanId");
        let upstream = spans.iter().find(is_its).unwrap();
        assert!(!upstream.is_error(), "{upstream:?}");
        let call = upstream.traceparent();
        assert!(provider.calls().iter().any(|asked| asked.headers["traceparent"] == call));
    }
}
