//! A provider is called with larder's key, and no client ever sees it.

use async_compression::tokio::bufread::GzipEncoder;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::{JSON, by, chat, good};
use crate::harness::{self, Answer, Ask, Asked, Scripted, Sidecar, config_file, larder};

const KEY: &str = "sk-canary-0123456789";
const OWN: &str = "[providers.openai]\napi_key_env = \"OWN_KEY\"\n";

fn sidecar(provider: &Scripted, config: &str) -> Sidecar {
    Sidecar::within(provider.address, config, &[("OWN_KEY", KEY)])
}

/// Every header of a call that a provider may take for a credential.
fn credentials(call: &Asked) -> Vec<(String, String)> {
    const NAMES: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
    let value = |name: &str| Some(call.headers.get(name)?.to_str().unwrap().to_owned());
    NAMES.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect()
}

#[tokio::test]
async fn the_clients_credential_is_replaced_wherever_it_is() {
    let provider = Scripted::start(|asked| async move {
        let embeds = !asked.inputs().is_empty();
        Some(if embeds { good(&asked) } else { harness::json(200, &json!({})) })
    });
    let others =
        [("anthropic", "/v1"), ("azure", ""), ("gemini", "/v1beta")].map(|(name, base)| {
            let base = format!("http://{}{base}", provider.address);
            format!("[providers.{name}]\nbase_url = {base:?}\napi_key_env = \"OWN_KEY\"\n")
        });
    let config = format!("{OWN}{}", others.concat());
    let sidecar = sidecar(&provider, &config);
    let client = sidecar.client();
    let bearer = format!("Bearer {KEY}");
    let value_of = |name| if name == "x-none" { "nobody's" } else { "client" };
    let deployment = "/azure/openai/deployments/d/chat/completions?api-version=1";
    for (path, sent, name, value) in [
        ("/v1/chat/completions", "authorization", "authorization", bearer.as_str()),
        ("/v1/chat/completions?key=client&x=1", "x-api-key", "authorization", &bearer),
        ("/v1/files", "authorization", "authorization", &bearer),
        ("/v1/files", "x-none", "authorization", &bearer),
        ("/anthropic/v1/messages", "x-api-key", "x-api-key", KEY),
        ("/anthropic/v1/messages", "authorization", "authorization", &bearer),
        (deployment, "authorization", "api-key", KEY),
        ("/gemini/v1beta/models/m:generateContent?key=client", "x-none", "x-goog-api-key", KEY),
    ] {
        client.send(Method::POST, path, &[JSON, (sent, value_of(sent))], "{}").await;
        let call = provider.calls().pop().unwrap();
        assert_eq!(credentials(&call), [(name.to_owned(), value.to_owned())], "{path}: {sent}");
        assert!(!format!("{call:?}").contains("client"), "{call:?}");
    }
    client.right(&by("client", &Ask::of(["own"]))).await;
    assert_eq!(provider.calls().pop().unwrap().credential(), bearer);
    assert!(!sidecar.log().contains("canary"), "{}", sidecar.log());
}

#[tokio::test]
async fn what_a_provider_says_of_the_key_does_not_reach_the_client() {
    let provider = Scripted::start(|asked| async move {
        let key = asked.credential();
        let message = format!("{key} is wrong, wrong is {key}");
        let mut answer = harness::json(401, &json!({ "error": { "message": message } }));
        answer.headers_mut().insert("x-echo", key.parse().unwrap());
        Some(answer)
    });
    let sidecar = sidecar(&provider, OWN);
    let client = sidecar.client();
    let relayed = client.send(Method::GET, "/v1/files", &[], "").await;
    let embedded = client.embed(&by("client", &Ask::of(["echo"]))).await;
    let said = chat(&client, "client", "echo").await;
    let bypassed = client.embed(&Ask::of(["echo"]).header("cache-control", "no-cache")).await;
    for answer in [relayed, embedded, said, bypassed] {
        let Answer { status, ref headers, .. } = answer;
        assert_eq!(status, 401);
        assert!(!format!("{headers:?}{}", answer.text()).contains("canary"), "{answer:?}");
        let stars = "*".repeat(KEY.len());
        let message = format!("Bearer {stars} is wrong, wrong is Bearer {stars}");
        assert_eq!(answer.text(), json!({ "error": { "message": message } }).to_string());
        assert_eq!(answer.header("x-echo"), format!("Bearer {stars}"));
    }
    assert!(!sidecar.log().contains("canary"), "{}", sidecar.log());
}

#[tokio::test]
async fn the_key_is_struck_from_a_response_that_came_compressed_unasked() {
    let provider = Scripted::start(|asked| async move {
        assert_eq!(asked.headers["accept-encoding"], "identity");
        let body = format!("{{\"echo\":\"{}\"}}", asked.credential());
        let mut encoder = GzipEncoder::new(body.as_bytes());
        let mut coded = Vec::new();
        encoder.read_to_end(&mut coded).await.unwrap();
        let coding = if asked.path.contains("odd") { "odd" } else { "gzip" };
        let answer = Response::builder().header("content-encoding", coding);
        Some(answer.body(Full::new(coded.into())).unwrap())
    });
    let sidecar = sidecar(&provider, OWN);
    let client = sidecar.client();
    let right = format!("{{\"echo\":\"Bearer {}\"}}", "*".repeat(KEY.len()));
    let relayed = client.send(Method::GET, "/v1/files", &[], "").await;
    let said = chat(&client, "client", "echo").await;
    for answer in [relayed, said] {
        assert_eq!((answer.status, answer.text()), (200, right.clone()));
        assert_eq!(answer.header("content-encoding"), "");
    }
    // What larder cannot read may hold the key.
    let odd = client.send(Method::GET, "/v1/odd", &[], "").await;
    assert!(odd.is_own_error(502, "upstream_invalid"), "{odd:?}");
}

#[tokio::test]
async fn answers_are_still_for_who_asked_unless_they_are_shared() {
    for (scope, calls) in [("credential", 2), ("shared", 1)] {
        let provider = Scripted::start(|asked| async move { Some(good(&asked)) });
        let config = format!("{OWN}[cache]\nscope = \"{scope}\"\n");
        let sidecar = sidecar(&provider, &config);
        let client = sidecar.client();
        for key in ["a", "b", "a", "b"] {
            client.right(&by(key, &Ask::of(["mine"]))).await;
        }
        assert_eq!(provider.calls().len(), calls, "{scope}");
    }
}

#[test]
fn a_key_that_is_missing_or_would_be_everybodys_is_an_error() {
    let file = config_file(OWN);
    let check = |more: &[&str]| {
        let mut command = larder(&["check", "--config", file.name()]);
        command.args(more);
        command
    };
    let missing = check(&[]).output().unwrap();
    let wrong = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(2), "{wrong}");
    assert!(wrong.contains(":2: providers.openai.api_key_env: the environment variable OWN_KEY"));
    let open = ["--listen", "0.0.0.0:5273"];
    let listed = [&open[..], &["--auth", "allowlist", "--keys", "k"]].concat();
    for (arguments, code) in [(&[][..], 0), (&open[..], 2), (&listed[..], 0)] {
        let said = check(arguments).env("OWN_KEY", KEY).output().unwrap();
        let text = [said.stdout, said.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert_eq!(said.status.code(), Some(code), "{text}");
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(text.contains("set access.auth = \"allowlist\""), code == 2, "{text}");
    }
}
