//! Providers that do not speak as `OpenAI` does: what larder answers is what they answer, whether
//! it comes from them, from the cache, or with a call of several requests.

mod sharing;

use std::time::Duration;

use http::Method;
use larder::simulate::{Faults, Settings};
use serde_json::{Value, json};

use crate::harness::{Answer, Client, DIMENSIONS, Sidecar, Simulated, all, texts};

/// A sidecar before a provider, and the same provider without one.
struct Shapes {
    provider: Simulated,
    _sidecar: Sidecar,
    client: Client,
    _twin: Simulated,
    direct: Client,
}

/// An endpoint: whose, where, and what is said to ask it for texts.
struct Endpoint {
    provider: &'static str,
    path: &'static str,
    one: bool,
    body: fn(&[&str]) -> Value,
}

const ENDPOINTS: &[Endpoint] = &[
    Endpoint { provider: "cohere", path: "/v1/embed", one: false, body: cohere_v1 },
    Endpoint { provider: "cohere", path: "/v2/embed", one: false, body: cohere },
    Endpoint { provider: "gemini", path: ONE, one: true, body: gemini_one },
    Endpoint { provider: "gemini", path: BATCH, one: false, body: gemini_batch },
    Endpoint { provider: "ollama", path: "/api/embed", one: false, body: openai },
    Endpoint { provider: "ollama", path: "/api/embeddings", one: true, body: prompt },
    Endpoint { provider: "tei", path: "/embed", one: false, body: inputs },
    Endpoint { provider: "nomic", path: "/v1/embedding/text", one: false, body: nomic },
    Endpoint { provider: "voyage", path: "/v1/embeddings", one: false, body: openai },
    Endpoint { provider: "mistral", path: "/v1/embeddings", one: false, body: openai },
    Endpoint { provider: "together", path: "/v1/embeddings", one: false, body: openai },
    Endpoint { provider: "azure", path: AZURE, one: false, body: openai },
];

const PROVIDERS: &[&str] =
    &["azure", "cohere", "gemini", "mistral", "nomic", "ollama", "tei", "together", "voyage"];

/// So that whoever comes while a call is under way travels together.
const ONE_AT_A_TIME: &str = "max_connections = 1\npermit_timeout = \"30s\"\n";

const ONE: &str = "/v1beta/models/gemini-embedding-001:embedContent";
const BATCH: &str = "/v1beta/models/gemini-embedding-001:batchEmbedContents";
const AZURE: &str = "/openai/deployments/d1/embeddings?api-version=2024-10-21";

fn openai(texts: &[&str]) -> Value {
    json!({ "model": "m", "input": texts })
}

fn prompt(texts: &[&str]) -> Value {
    json!({ "model": "m", "prompt": texts[0] })
}

fn inputs(texts: &[&str]) -> Value {
    json!({ "inputs": texts, "normalize": true })
}

fn nomic(texts: &[&str]) -> Value {
    json!({ "model": "m", "texts": texts, "task_type": "search_query" })
}

fn cohere_v1(texts: &[&str]) -> Value {
    json!({ "model": "m", "texts": texts, "input_type": "search_query" })
}

fn cohere(texts: &[&str]) -> Value {
    json!({ "model": "m", "texts": texts, "input_type": "search_query", "embedding_types": ["float"] })
}

fn gemini_one(texts: &[&str]) -> Value {
    json!({ "content": { "parts": [{ "text": texts[0] }] }, "taskType": "CLUSTERING" })
}

fn gemini_batch(texts: &[&str]) -> Value {
    let one = |text: &&str| {
        let mut one = gemini_one(&[*text]);
        one["model"] = json!("models/gemini-embedding-001");
        one
    };
    json!({ "requests": texts.iter().map(one).collect::<Vec<_>>() })
}

/// Where a provider has its endpoints at the simulated one.
fn below(provider: &str, path: &str) -> String {
    match provider {
        "voyage" | "mistral" | "together" => format!("/{provider}{path}"),
        _ => path.to_owned(),
    }
}

impl Shapes {
    fn start(latency: Duration) -> Self {
        let faults = Faults { latency, ..Settings::instant().faults };
        let settings = Settings { dimensions: DIMENSIONS, faults, ..Settings::instant() };
        let (provider, twin) = (Simulated::start(settings), Simulated::instant());
        let mut config = String::new();
        for name in PROVIDERS {
            let base = format!("http://{}{}", provider.address, below(name, ""));
            let keys = format!("base_url = \"{base}\"\n{ONE_AT_A_TIME}");
            config.extend(["[providers.", name, "]\n", &keys]);
        }
        let sidecar = Sidecar::with(provider.address, &config);
        let (client, direct) = (sidecar.client(), Client::new(twin.address));
        Self { provider, _sidecar: sidecar, client, _twin: twin, direct }
    }

    /// Asks and holds the answer against the provider's own; gives what the cache did.
    async fn right(&self, (provider, path): (&str, &str), body: &Value) -> Answer {
        let answer = ask(&self.client, &format!("/{provider}{path}"), body).await;
        let direct = ask(&self.direct, &below(provider, path), body).await;
        assert_eq!(answer.status, direct.status, "{provider}{path} {answer:?}");
        assert_eq!(read(&answer), read(&direct), "{provider}{path} {body}");
        answer
    }

    /// Whether the second of two questions is answered from what the first one brought.
    async fn shares(&self, first: ((&str, &str), Value), second: ((&str, &str), Value)) -> bool {
        self.right(first.0, &first.1).await;
        self.right(second.0, &second.1).await.header("cache-status").contains("; hit")
    }

    async fn calls(&self) -> u64 {
        self.provider.stats().await.embedding_requests
    }
}

async fn ask(client: &Client, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("authorization", "Bearer k")];
    client.send(Method::POST, path, &headers, body.to_string()).await
}

fn read(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {answer:?}"))
}

#[tokio::test]
async fn a_miss_a_hit_and_a_part_are_what_the_provider_says() {
    let shapes = Shapes::start(Duration::ZERO);
    for Endpoint { provider, path, one, body } in ENDPOINTS {
        let place = (*provider, *path);
        let [a, b, c] = ["a", "b", "c"].map(|text| format!("{path} {text}"));
        let both = [a.as_str(), b.as_str()];
        let first = body(if *one { &both[..1] } else { &both });
        let miss = shapes.right(place, &first).await;
        assert_eq!(miss.header("cache-status"), "larder; fwd=miss; stored", "{place:?}");
        for _ in 0..2 {
            let hit = shapes.right(place, &first).await;
            assert_eq!(hit.header("cache-status"), "larder; hit; detail=memory", "{place:?}");
        }
        if !one {
            let partial = shapes.right(place, &body(&[&c, &a, &c])).await;
            assert_eq!(partial.header("cache-status"), "larder; fwd=partial; stored", "{place:?}");
            assert_eq!(partial.header("x-larder-items"), "hit=1, collapsed=1, miss=1", "{place:?}");
        }
    }
}

/// How many calls come of one request each for these texts, all at once. Every answer is held
/// against the provider's own.
async fn burst(shapes: &Shapes, endpoint: &'static Endpoint, texts: &[String]) -> u64 {
    let Endpoint { provider, path, body, .. } = endpoint;
    let before = shapes.calls().await;
    let asking = texts.iter().map(|text| {
        let (client, body) = (shapes.client.clone(), body(&[text.as_str()]));
        async move { ask(&client, &format!("/{provider}{path}"), &body).await }
    });
    for (text, answer) in texts.iter().zip(all(asking.collect::<Vec<_>>()).await) {
        let direct = ask(&shapes.direct, &below(provider, path), &body(&[text.as_str()])).await;
        assert_eq!(answer.status, direct.status, "{provider}{path} {answer:?}");
        assert_eq!(read(&answer), read(&direct), "{provider}{path} {text}");
        assert_eq!(answer.status == 400, text.contains("__poison__"), "{provider}{path} {text}");
    }
    shapes.calls().await - before
}

#[tokio::test]
async fn a_burst_travels_in_few_calls_and_a_bad_one_fails_alone() {
    const CALLERS: usize = 10;
    let shapes = Shapes::start(Duration::from_millis(20));
    for endpoint in ENDPOINTS {
        let path = endpoint.path;
        let good = burst(&shapes, endpoint, &texts(&format!("{path} good"), CALLERS)).await;
        if path == "/api/embeddings" {
            assert_eq!(good, CALLERS as u64, "it has no call for several texts");
        } else {
            assert!(good <= 4, "{path} made {good} calls");
        }
        let mut mixed = texts(&format!("{path} mixed"), CALLERS);
        mixed[7] = "__poison__".to_owned();
        let calls = burst(&shapes, endpoint, &mixed).await;
        assert!(calls <= 4 + CALLERS as u64, "{path} made {calls} calls");
    }
}

#[tokio::test]
async fn errors_of_larder_s_own_have_the_shape_of_their_endpoint() {
    let shapes = Shapes::start(Duration::ZERO);
    for Endpoint { provider, path, body, .. } in ENDPOINTS {
        let headers = [("content-type", "application/json"), ("cache-control", "only-if-cached")];
        let body = body(&["not there"]).to_string();
        let answer =
            shapes.client.send(Method::POST, &format!("/{provider}{path}"), &headers, body).await;
        assert_eq!(answer.header("x-larder-error"), "not_cached", "{provider}{path}");
        let said = read(&answer);
        let message = match *provider {
            "cohere" => &said["message"],
            "voyage" => &said["detail"],
            "mistral" if said["object"] == "error" => &said["message"],
            "ollama" => &said["error"],
            "tei" if said["error_type"] == "not_cached" => &said["error"],
            "gemini" if said["error"]["code"] == 504 => &said["error"]["message"],
            _ => &said["error"]["message"],
        };
        assert_eq!(
            message, "not in the cache, and the request has only-if-cached",
            "{provider}{path}"
        );
    }
}
