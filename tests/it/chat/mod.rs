//! Answers of models: which are kept, for whom, and that they come back byte for byte.

pub(crate) mod shapes;
mod simulated;
mod world;

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;

use crate::harness::{Answer, Client, Scripted, Sidecar, Simulated, until};
use shapes::{JSON, MESSAGES, OPENAI, OPENAI_STREAM, Shape, shapes};

/// A provider that says what it is told to say next.
struct Said(Scripted, Arc<Mutex<(&'static str, &'static str)>>);

impl Said {
    fn start() -> Self {
        let next = Arc::new(Mutex::new(("", "")));
        let says = Arc::clone(&next);
        let provider = Scripted::start(move |asked| {
            let (media_type, text) = *says.lock().unwrap();
            async move {
                let response = Response::builder()
                    .header("content-type", media_type)
                    .header("x-request-id", format!("req_{}", asked.number))
                    .header("x-ratelimit-remaining-requests", "7")
                    .header("anthropic-ratelimit-requests-remaining", "7")
                    .header("set-cookie", "a=b")
                    .header("openai-version", "2020-10-01");
                Some(response.body(Full::new(Bytes::from_static(text.as_bytes()))).unwrap())
            }
        });
        Self(provider, next)
    }

    fn sidecar(&self, more: &str) -> Sidecar {
        let at = self.0.address;
        let mut config = more.to_owned();
        for (name, base) in
            [("anthropic", "/v1"), ("gemini", "/v1beta"), ("ollama", ""), ("cohere", "/v2")]
        {
            if larder::dialect::named(name).is_some() {
                write!(
                    config,
                    "\n[providers.{name}]\ndialect = \"{name}\"\nbase_url = \"http://{at}{base}\"\n"
                )
                .unwrap();
            }
        }
        Sidecar::with(at, &config)
    }

    fn says(&self, media_type: &'static str, text: &'static str) {
        *self.1.lock().unwrap() = (media_type, text);
    }

    fn calls(&self) -> usize {
        self.0.calls().len()
    }
}

async fn post(client: &Client, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let json = [("content-type", JSON), ("authorization", "Bearer a")];
    let others = json.iter().filter(|(name, _)| headers.iter().all(|(other, _)| name != other));
    let headers: Vec<_> = headers.iter().chain(others).copied().collect();
    client.send(Method::POST, path, &headers, body.to_owned()).await
}

async fn ask(client: &Client, shape: &Shape) -> Answer {
    post(client, shape.path, &[], shape.ask).await
}

#[tokio::test]
async fn an_answer_that_ended_well_comes_back_byte_for_byte() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    for (number, shape) in shapes().enumerate() {
        provider.says(shape.media_type, shape.answer);
        let first = ask(&client, &shape).await;
        let at = shape.path;
        assert_eq!((first.status, first.text().as_str()), (200, shape.answer), "{at}");
        // The end of a stream decides.
        let stored = if shape.media_type == JSON { "; stored" } else { "" };
        assert_eq!(first.header("cache-status"), format!("larder; fwd=miss{stored}"), "{at}");
        assert_eq!(first.header("x-request-id"), format!("req_{number}"), "{at}");
        assert_eq!(first.header("x-ratelimit-remaining-requests"), "7", "{at}");
        let second = ask(&client, &shape).await;
        assert_eq!((second.status, second.text().as_str()), (200, shape.answer), "{at}");
        let status = second.header("cache-status");
        assert!(status.starts_with("larder; hit; ttl=86"), "{at}: {status}");
        assert!(status.ends_with("; detail=memory"), "{at}: {status}");
        assert_eq!(second.header("content-type"), shape.media_type, "{at}");
        assert_eq!(second.header("openai-version"), "2020-10-01", "{at}");
        assert!(second.header("server-timing").starts_with("cache;dur="), "{at}");
        assert_eq!(second.header("age"), "0", "{at}");
        for gone in
            ["x-request-id", "x-ratelimit-remaining-requests", "set-cookie", "x-larder-items"]
        {
            assert_eq!(second.header(gone), "", "{at}: {gone}");
        }
        assert_eq!(second.header("anthropic-ratelimit-requests-remaining"), "", "{at}");
        assert_eq!(provider.calls(), number + 1, "{at}");
    }
    let count = f64::from(u32::try_from(shapes().count()).unwrap());
    until("each is counted", || async {
        let stored = sidecar.metric("larder_chat_answers_total", "result=\"stored\"").await;
        (stored - count).abs() < 0.5
    })
    .await;
    assert!(sidecar.metric("larder_client_cancelled_total", "").await < 0.5);
    let labels = "operation=\"chat\",verdict=\"hit\"";
    assert!(
        (sidecar.metric("larder_time_to_first_byte_seconds_count", labels).await - count).abs()
            < 0.5
    );
}

#[tokio::test]
async fn an_answer_that_did_not_end_well_is_passed_on_and_not_kept() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    for shape in shapes() {
        for unfinished in shape.unfinished {
            provider.says(shape.media_type, unfinished);
            for _ in 0..2 {
                let before = provider.calls();
                let answer = ask(&client, &shape).await;
                assert_eq!((answer.status, answer.text().as_str()), (200, *unfinished));
                assert_eq!(provider.calls(), before + 1, "{unfinished}");
            }
        }
        provider.says("text/plain", shape.answer);
        let before = provider.calls();
        for _ in 0..2 {
            let answer = ask(&client, &shape).await;
            assert_eq!(answer.header("cache-status"), "larder; fwd=miss");
        }
        assert_eq!(provider.calls(), before + 2, "{}", shape.path);
    }
    assert!(sidecar.metric("larder_chat_answers_total", "result=\"stored\"").await < 0.5);
}

#[tokio::test]
async fn different_callers_and_versions_never_share() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    provider.says(MESSAGES.media_type, MESSAGES.answer);
    let callers: &[&[(&str, &str)]] = &[
        &[],
        &[("authorization", "Bearer b")],
        &[("x-api-key", "a")],
        &[("anthropic-version", "2023-06-01")],
        &[("anthropic-beta", "x")],
        &[("openai-beta", "x")],
        &[("openai-organization", "x")],
    ];
    for (number, headers) in callers.iter().enumerate() {
        for _ in 0..2 {
            assert_eq!(post(&client, MESSAGES.path, headers, MESSAGES.ask).await.status, 200);
        }
        assert_eq!(provider.calls(), number + 1, "{headers:?}");
    }
    // Who is only told to the provider shares.
    let user = MESSAGES.ask.replace("{\"model\"", "{\"metadata\":{\"user_id\":\"x\"},\"model\"");
    assert!(post(&client, MESSAGES.path, &[], &user).await.header("cache-status").contains("hit"));
}

#[tokio::test]
async fn what_may_not_be_shared_is_relayed_and_says_why() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    provider.says(JSON, OPENAI.answer);
    let cold = "\"temperature\":0,";
    for (body, why) in [
        (OPENAI.ask.replace(cold, ""), "temperature"),
        (OPENAI.ask.replace(cold, "\"temperature\":0,\"n\":2,"), "n"),
        (OPENAI.ask.replace(cold, "\"temperature\":0,\"tools\":[{}],"), "tools"),
        (OPENAI.ask.replace(cold, "\"temperature\":0,\"store\":true,"), "state"),
        (OPENAI.ask.replace(cold, "\"temperature\":0,\"temperature\":0,"), "unreadable"),
        ("{".to_owned(), "unreadable"),
    ] {
        for _ in 0..2 {
            let answer = post(&client, OPENAI.path, &[], &body).await;
            let right = format!("larder; fwd=bypass; detail={why}");
            assert_eq!(answer.header("cache-status"), right, "{body}");
            assert_eq!(answer.text(), OPENAI.answer);
        }
    }
    assert_eq!(provider.calls(), 12);
    let calls = provider.0.calls();
    assert_eq!(&calls[0].body[..], OPENAI.ask.replace(cold, "").as_bytes());
    let key = ("idempotency-key", "1");
    let answer = post(&client, OPENAI.path, &[key], OPENAI.ask).await;
    assert_eq!(answer.header("cache-status"), "larder; fwd=bypass; detail=idempotency-key");
}

#[tokio::test]
async fn a_caller_may_say_what_the_cache_is_to_do() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    provider.says(JSON, OPENAI.answer);
    let warm = OPENAI.ask.replace("\"temperature\":0", "\"temperature\":1");
    let say = async |headers: &[(&str, &str)], body: &str| {
        post(&client, OPENAI.path, headers, body).await.header("cache-status").to_owned()
    };
    let cached = [("cache-control", "only-if-cached")];
    let answer = post(&client, OPENAI.path, &cached, OPENAI.ask).await;
    assert!(answer.is_own_error(504, "not_cached"), "{answer:?}");
    let answer = post(&client, OPENAI.path, &cached, &warm).await;
    assert!(answer.is_own_error(504, "not_cached"), "{answer:?}");
    assert_eq!(provider.calls(), 0);
    assert_eq!(say(&[("x-larder-ttl", "100")], OPENAI.ask).await, "larder; fwd=miss; stored");
    let hit = say(&cached, OPENAI.ask).await;
    assert!(hit.starts_with("larder; hit; ttl="), "{hit}");
    assert!(hit.contains("ttl=100") || hit.contains("ttl=99"), "{hit}");
    let no_store = "larder; fwd=bypass; detail=no-store";
    assert_eq!(say(&[("cache-control", "no-store")], OPENAI.ask).await, no_store);
    let off = "larder; fwd=bypass; detail=opted-out";
    assert_eq!(say(&[("x-larder-cache", "off")], OPENAI.ask).await, off);
    let anew = "larder; fwd=request; stored; detail=no-cache";
    assert_eq!(say(&[("cache-control", "no-cache")], OPENAI.ask).await, anew);
    let before = provider.calls();
    assert!(say(&[("cache-control", "max-age=60")], OPENAI.ask).await.contains("hit"));
    assert_eq!(provider.calls(), before);
    assert_eq!(say(&[("x-larder-cache", "on")], &warm).await, "larder; fwd=miss; stored");
    assert!(say(&[("x-larder-cache", "on")], &warm).await.contains("hit"));
    assert_eq!(say(&[], &warm).await, "larder; fwd=bypass; detail=temperature");
    let directives = provider.0.calls().iter().any(|call| {
        call.headers
            .keys()
            .any(|name| name.as_str().starts_with("x-larder") || name == "cache-control")
    });
    assert!(!directives);
}

#[tokio::test]
async fn the_settings_say_which_models_are_cached() {
    let provider = Said::start();
    let settings = "[providers.openai]\nchat_cache = \"off\"\n\
                    chat_cache_models = [\"warm-*=all\", \"cold=deterministic\"]\n";
    let sidecar = provider.sidecar(settings);
    let client = sidecar.client();
    provider.says(JSON, OPENAI.answer);
    for (model, temperature, right) in [
        ("m", 0, "larder; fwd=bypass; detail=chat-cache-off"),
        ("cold", 0, "larder; fwd=miss; stored"),
        ("cold", 1, "larder; fwd=bypass; detail=temperature"),
        ("warm-1", 1, "larder; fwd=miss; stored"),
    ] {
        let body = format!(r#"{{"model":"{model}","temperature":{temperature},"messages":[]}}"#);
        let answer = post(&client, OPENAI.path, &[], &body).await;
        assert_eq!(answer.header("cache-status"), right, "{body}");
    }
}

#[tokio::test]
async fn an_answer_over_the_bound_is_passed_on_whole_and_not_kept() {
    let provider = Said::start();
    let sidecar = provider.sidecar("[cache]\nmax_transcript = \"64B\"\n");
    let client = sidecar.client();
    for shape in [OPENAI, OPENAI_STREAM] {
        provider.says(shape.media_type, shape.answer);
        for _ in 0..2 {
            assert_eq!(ask(&client, &shape).await.text(), shape.answer);
        }
    }
    assert_eq!(provider.calls(), 4);
    let large = sidecar.metric("larder_chat_answers_total", "result=\"too_large\"").await;
    assert!((large - 4.0).abs() < 0.5, "{large}");
}

#[tokio::test]
async fn a_refusal_of_the_provider_s_is_passed_on_and_not_kept() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[cache]\nnegative_ttl = \"0\"\n");
    let (client, direct) = (sidecar.client(), Client::new(provider.address));
    let body = OPENAI.ask.replace("\"a\"", "\"a __poison__\"");
    for _ in 0..2 {
        let got = post(&client, OPENAI.path, &[], &body).await;
        let right = post(&direct, OPENAI.path, &[], &body).await;
        assert_eq!((got.status, got.text()), (400, right.text()));
        assert_eq!(got.header("cache-status"), "larder; fwd=miss");
        assert!(got.header("x-request-id").starts_with("req_"));
    }
    assert_eq!(provider.stats().await.chat_requests, 4);
}
