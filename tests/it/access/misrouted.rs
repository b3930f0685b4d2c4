//! Paths of other providers: neither the request nor its credential reaches the default provider.

use http::Method;
use serde_json::{Value, json};

use super::{JSON, good};
use crate::harness::{self, Ask, Scripted, Sidecar};

const KEY: &str = "sk-of-another-provider";

fn provider() -> Scripted {
    Scripted::start(|asked| async move {
        let embeds = !asked.inputs().is_empty();
        Some(if embeds { good(&asked) } else { harness::json(200, &json!({})) })
    })
}

#[tokio::test]
async fn a_misspelt_provider_does_not_get_the_callers_key_to_the_default_provider() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    for (path, near) in [
        ("/antropic/v1/messages", "anthropic"),
        ("/Anthropic/v1/messages", "anthropic"),
        ("/claude/v1/messages", "anthropic"),
        ("//antropic/v1/messages", "anthropic"),
        ("/antr%6Fpic/v1/messages", "anthropic"),
        ("/voyageai/v1/embeddings", "voyage"),
        ("/opnai/v1/embeddings", "openai"),
        ("/gemni/v1beta/models/m:embedContent?key=sk-of-another-provider", "gemini"),
        ("/azure/openai/deployments/d/embeddings?api-version=1", "azure"),
        ("/vertex/v1/x", "vertex"),
        ("/bedrock/model/m/invoke", "bedrock"),
        ("/dashscope/v1/embeddings", "dashscope"),
    ] {
        let headers = [JSON, ("x-api-key", KEY), ("authorization", KEY)];
        let refused = client.send(Method::POST, path, &headers, "{}").await;
        assert_eq!(refused.status, 404, "{path}: {refused:?}");
        assert_eq!(refused.header("x-larder-error"), "unknown_provider", "{path}");
        assert!(refused.text().contains(near), "{path}: {refused:?}");
    }
    assert_eq!(provider.calls().len(), 0);
    // In the shape that the SDK of the provider reads.
    let refused = client.send(Method::POST, "/antropic/v1/messages", &[JSON], "{}").await;
    let body: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(
        (&body["type"], &body["error"]["type"]),
        (&json!("error"), &json!("not_found_error"))
    );
    let refused = client.send(Method::POST, "/azure/x", &[JSON], "{}").await;
    assert!(refused.is_own_error(404, "unknown_provider"), "{refused:?}");
}

#[tokio::test]
async fn another_name_or_the_host_of_a_provider_does_not_get_the_callers_key() {
    let provider = provider();
    let config = format!("[providers.mine]\nbase_url = \"http://{}\"\n", provider.address);
    let sidecar = Sidecar::with(provider.address, &config);
    let client = sidecar.client();
    for (segment, near) in [
        ("nvidia", "nim"),
        ("huggingface", "huggingface"),
        ("hf", "huggingface"),
        ("qwen", "dashscope"),
        ("alibaba", "dashscope"),
        ("googl", "gemini"),
        ("anthropic.com", "anthropic"),
        ("api.anthropic.com", "anthropic"),
        ("API.Anthropic.com:443", "anthropic"),
        ("https://api.anthropic.com", "anthropic"),
        ("https%3A%2F%2Fapi.anthropic.com", "anthropic"),
        ("anthropic-api", "anthropic"),
        ("api.openai.com", "openai"),
        ("openai.azure.com", "azure"),
        ("generativelanguage.googleapis.com", "gemini"),
        ("us-central1-aiplatform.googleapis.com", "vertex"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "bedrock"),
        ("dashscope-intl.aliyuncs.com", "dashscope"),
        ("router.huggingface.co", "huggingface"),
        ("api.x.ai", "xai"),
        ("perplexity", "perplexity"),
        ("replicate", "replicate"),
        ("databricks", "databricks"),
        ("cloudflare", "cloudflare"),
        ("mine%2fv1", "mine"),
        ("mine%252fv1", "mine"),
        ("%2Fmine", "mine"),
        ("mine;x", "mine"),
        ("mine%3bx", "mine"),
        ("mine%ff", "mine"),
        ("MINE", "mine"),
    ] {
        let path = format!("/{segment}/v1/messages");
        let headers = [JSON, ("x-api-key", KEY), ("authorization", KEY)];
        let refused = client.send(Method::POST, &path, &headers, "{}").await;
        assert_eq!(refused.status, 404, "{path}: {refused:?}");
        assert_eq!(refused.header("x-larder-error"), "unknown_provider", "{path}");
        assert!(refused.text().contains(near), "{path}: {refused:?}");
    }
    assert_eq!(provider.calls().len(), 0);
}

#[tokio::test]
async fn any_other_path_still_reaches_the_default_provider() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let paths = [
        "/v1/files",
        "/v1beta/x",
        "/models",
        "/embed",
        "/openapi.json",
        "/custom/route",
        "/llm/v1/x",
        "/chat/completions",
        "/Chat/completions",
        "/api/embed",
        "/api/v0/models",
        "/v1;x/files",
        "/v1%2Ffiles",
        "/models/meta-llama%2FLlama-3.1",
        "/openai.json",
        "/generate_stream",
        "/server_info",
        "/load_lora_adapter",
        "/apply-template",
        "/.well-known/openid-configuration",
        "/internal.example.com/x",
    ];
    for (n, path) in paths.into_iter().enumerate() {
        let answer = client.send(Method::POST, path, &[JSON], "{}").await;
        assert_eq!((answer.status, provider.calls().len()), (200, n + 1), "{path}");
    }
}

/// The credentials of the last call.
fn shown(provider: &Scripted) -> (Vec<String>, String) {
    const NAMES: [&str; 5] =
        ["authorization", "api-key", "ocp-apim-subscription-key", "x-api-key", "x-goog-api-key"];
    let call = provider.calls().pop().unwrap();
    let names = NAMES.iter().filter(|name| call.headers.contains_key(**name));
    (names.map(|name| (*name).to_owned()).collect(), call.path)
}

#[tokio::test]
async fn a_kind_of_credential_that_a_provider_does_not_use_is_not_sent_to_it() {
    let provider = provider();
    let others = [("anthropic", "/v1"), ("azure", ""), ("gemini", "")].map(|(name, base)| {
        format!("[providers.{name}]\nbase_url = \"http://{}{base}\"\n", provider.address)
    });
    let sidecar = Sidecar::with(provider.address, &others.concat());
    let client = sidecar.client();
    let all = [
        JSON,
        ("authorization", "Bearer k"),
        ("api-key", KEY),
        ("x-api-key", KEY),
        ("x-goog-api-key", KEY),
        ("ocp-apim-subscription-key", KEY),
    ];
    for (path, names, sent) in [
        ("/v1/messages?key=k&x=1", &["authorization"][..], "/v1/messages?x=1"),
        ("/v1/chat/completions?api-key=k", &["authorization"], "/v1/chat/completions"),
        ("/anthropic/v1/messages?key=k", &["authorization", "x-api-key"], "/v1/messages"),
        (
            "/azure/openai/x?api-key=k&key=k",
            &["authorization", "api-key", "ocp-apim-subscription-key"],
            "/openai/x?api-key=k",
        ),
        ("/gemini/v1/x?key=k", &["authorization", "x-goog-api-key"], "/v1/x?key=k"),
    ] {
        client.send(Method::POST, path, &all, "{}").await;
        let (shown, path) = shown(&provider);
        assert_eq!(
            (shown.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), &*path),
            (names, sent)
        );
    }
    client.right(&Ask::of(["embedded"]).header("x-api-key", KEY)).await;
    assert!(shown(&provider).0.is_empty());
    assert!(sidecar.log().contains("a credential was not forwarded"), "{}", sidecar.log());
    assert!(!sidecar.log().contains(KEY));
}

#[tokio::test]
async fn a_delete_that_would_lose_a_parameter_is_refused() {
    let provider = provider();
    let config = format!("[providers.mine]\nbase_url = \"http://{}\"\n", provider.address);
    let sidecar = Sidecar::with(provider.address, &config);
    for method in [Method::DELETE, Method::PUT, Method::PATCH] {
        for path in ["/v1/entries?key=one", "/mine/entries?all=1&key=one"] {
            let refused = sidecar.client().send(method.clone(), path, &[], "").await;
            assert!(refused.is_own_error(400, "bad_request"), "{refused:?}");
            assert!(refused.text().contains("credentials_in"), "{refused:?}");
        }
    }
    assert_eq!(provider.calls().len(), 0);
    let kept = sidecar.client().send(Method::DELETE, "/v1/entries?monkey=one", &[], "").await;
    assert_eq!((kept.status, &*provider.calls()[0].path), (200, "/v1/entries?monkey=one"));
}

#[tokio::test]
async fn the_operator_can_name_further_places_of_credentials() {
    let provider = provider();
    let config = "[providers.openai]\ncredentials_in = [\"X-Api-Key\", \"key\"]\n";
    let sidecar = Sidecar::with(provider.address, config);
    let headers = [JSON, ("x-api-key", KEY), ("api-key", KEY)];
    sidecar.client().send(Method::POST, "/v1/files?key=k&api_key=k", &headers, "{}").await;
    assert_eq!(shown(&provider), (vec!["x-api-key".to_owned()], "/v1/files?key=k".to_owned()));
}
