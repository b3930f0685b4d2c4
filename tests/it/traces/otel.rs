//! The `OTEL_*` variables, the encodings, and the names of `OpenTelemetry`'s conventions.

use larder::simulate::Settings;
use serde_json::{Value, json};

use super::{chat, collector, named, provider, told, traced};
use crate::harness::{Ask, Sidecar, Simulated, texts};

fn hello(streamed: bool) -> Value {
    json!({
        "model": "gpt-4o", "temperature": 1, "stream": streamed,
        "messages": [{ "role": "user", "content": "hello" }],
        "stream_options": { "include_usage": true },
    })
}

#[tokio::test]
async fn a_chat_that_is_only_passed_on_has_its_usage_and_its_name() {
    let settings = Settings { compress: true, ..Settings::instant() };
    let (provider, collector) = (Simulated::start(settings), collector());
    let more = format!("[providers.openai]\nbase_url = \"http://{}/v1\"\n", provider.address);
    let config = format!(
        "[traces]\nendpoint = \"http://{}\"\nprotocol = \"http/json\"\n{more}",
        collector.address
    );
    let sidecar = Sidecar::with(provider.address, &config);
    let ways = [("identity", false), ("identity", true), ("gzip", false), ("br", true)];
    for (times, (coding, streamed)) in ways.into_iter().enumerate() {
        let times = times + 1;
        chat(&sidecar.client(), &[("accept-encoding", coding)], &hello(streamed)).await;
        let spans = told(&collector, 2 * times).await.split_off(2 * (times - 1));
        for span in [named(&spans, "chat"), named(&spans, "upstream")] {
            assert_eq!(span.get("name"), "chat gpt-4o");
            assert_eq!(span.says("gen_ai.request.model"), "gpt-4o");
            assert_eq!(span.says("gen_ai.response.model"), "gpt-4o");
            assert!(span.says("gen_ai.usage.input_tokens").parse::<u64>().unwrap() > 0);
            assert_eq!(span.says("gen_ai.usage.output_tokens"), "16");
        }
    }
}

#[tokio::test]
async fn a_collector_that_asks_for_a_key_gets_it_from_the_variables_of_opentelemetry() {
    let (provider, collector) = (provider(), collector());
    let endpoint = format!("http://{}/own/path", collector.address);
    let environment = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20canary,x-tenant=a%2Cb"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_SERVICE_NAME", "web"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
    ];
    let sidecar = Sidecar::within(provider.address, "", &environment);
    sidecar.client().right(&Ask::of(texts("otel", 1))).await;
    collector.called(1).await;
    let call = &collector.calls()[0];
    assert_eq!(call.path, "/own/path");
    assert_eq!(call.headers["authorization"], "Basic canary");
    assert_eq!(call.headers["x-tenant"], "a,b");
    let attributes = &call.json()["resourceSpans"][0]["resource"]["attributes"];
    for (key, value) in [("service.name", "web"), ("deployment.environment.name", "test")] {
        let pair = json!({ "key": key, "value": { "stringValue": value } });
        assert!(attributes.as_array().unwrap().contains(&pair), "{attributes}");
    }
}

#[tokio::test]
async fn spans_go_out_in_protocol_buffers_and_a_key_of_larder_comes_first() {
    let (provider, other) = (provider(), collector());
    let collector = collector();
    let config = format!("[traces]\nendpoint = \"http://{}\"\n", collector.address);
    let endpoint = format!("http://{}", other.address);
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let sidecar = Sidecar::within(provider.address, &config, &environment);
    sidecar.client().right(&Ask::of(texts("protobuf", 1))).await;
    collector.called(1).await;
    let call = &collector.calls()[0];
    assert_eq!(
        (call.path.as_str(), &call.headers["content-type"]),
        ("/v1/traces", &"application/x-protobuf".parse().unwrap())
    );
    let name = b"embeddings text-embedding-3-small";
    assert!(call.body.windows(name.len()).any(|window| window == name));
    assert!(other.calls().is_empty());
}

#[tokio::test]
async fn a_hit_has_the_name_of_its_operation_and_model() {
    let (provider, collector) = (provider(), collector());
    let sidecar = traced(&provider, &collector, "");
    let ask = Ask::of(texts("hit", 1));
    sidecar.client().right(&ask).await;
    sidecar.client().right(&ask).await;
    let spans = told(&collector, 6).await.split_off(4);
    assert_eq!(named(&spans, "embeddings").get("name"), "embeddings text-embedding-3-small");
}
