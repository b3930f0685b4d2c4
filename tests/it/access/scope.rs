//! Stored answers are shared by whom the operator says; calls by nobody.

use super::{JSON, by, chat, good, unauthorized};
use crate::harness::{
    Aside, Ask, Gate, Raw, Scripted, Sidecar, all, complaints, config_file, larder, texts,
};

const SHARED: &str = "[cache]\nscope = \"shared\"\n";
const BY_TENANT: &str = "[cache]\nscope = \"header:x-tenant\"\n";

fn plain() -> Scripted {
    Scripted::start(|asked| async move { Some(good(&asked)) })
}

fn is_hit(answer: &crate::harness::Answer) -> bool {
    answer.status == 200 && answer.header("cache-status").contains("; hit")
}

#[tokio::test]
async fn without_a_word_of_the_operator_nobody_shares() {
    let provider = plain();
    let sidecar = Sidecar::before(provider.address);
    let (client, ask) = (sidecar.client(), Ask::of(texts("own", 3)));
    for key in ["a", "b"] {
        client.right(&by(key, &ask)).await;
        chat(&client, key, "own").await;
    }
    assert_eq!(provider.calls().len(), 4);
}

#[tokio::test]
async fn what_is_stored_is_everybodys_where_the_scope_is_shared() {
    let provider = plain();
    let sidecar = Sidecar::with(provider.address, SHARED);
    let (client, ask) = (sidecar.client(), Ask::of(texts("shared", 3)));
    client.right(&by("a", &ask)).await;
    let first = chat(&client, "a", "shared").await;
    assert_eq!(first.header("openai-organization"), "account of a");
    for other in [by("b", &ask), ask.clone().header("api-key", "c"), ask.clone()] {
        let hit = client.right(&other).await;
        assert!(is_hit(&hit), "{hit:?}");
    }
    let keyed = client.right(&ask.clone().path("/v1/embeddings?key=d")).await;
    assert!(is_hit(&keyed), "{keyed:?}");
    let hit = chat(&client, "b", "shared").await;
    assert!(is_hit(&hit) && hit.body == first.body, "{hit:?}");
    assert_eq!(hit.header("openai-organization"), "", "it tells whose account paid for it");
    assert_eq!(provider.calls().len(), 2);
    // Whatever else tells requests apart still does.
    client.right(&by("b", &ask).header("openai-organization", "other")).await;
    client.right(&by("b", &ask).path("/v1/embeddings?version=2")).await;
    assert_eq!(provider.calls().len(), 4);
}

#[tokio::test]
async fn two_credentials_that_ask_the_same_at_once_make_two_calls() {
    let gate = Gate::closed();
    let waits = gate.clone();
    let provider = Scripted::start(move |asked| {
        let gate = waits.clone();
        async move {
            gate.pass().await;
            Some(good(&asked))
        }
    });
    let sidecar = Sidecar::with(provider.address, SHARED);
    let client = sidecar.client();
    let ask = Ask::of(texts("cold", 2));
    let asking = (0..20).map(|n| {
        let (client, ask) = (client.clone(), by(["a", "b"][n % 2], &ask));
        async move { client.right(&ask).await }
    });
    let embeds = Aside::start(all(asking.collect::<Vec<_>>()));
    let asking = (0..20).map(|n| {
        let client = client.clone();
        async move { chat(&client, ["a", "b"][n % 2], "cold").await }
    });
    let chats = Aside::start(all(asking.collect::<Vec<_>>()));
    sidecar.until("larder_flights", 4.0).await;
    provider.called(4).await;
    sidecar.until("larder_chat_streams", 2.0).await;
    gate.open();
    embeds.done().await;
    for (n, answer) in chats.done().await.into_iter().enumerate() {
        let account = format!("account of {}", ["a", "b"][n % 2]);
        if !is_hit(&answer) {
            assert_eq!(answer.header("openai-organization"), account);
        }
    }
    let mut called: Vec<_> =
        provider.calls().into_iter().map(|call| (call.path.clone(), call.credential())).collect();
    called.sort();
    called.dedup();
    assert_eq!((called.len(), provider.calls().len()), (4, 4), "{called:?}");
    assert!(is_hit(&client.right(&by("c", &ask)).await));
}

#[tokio::test]
async fn a_refusal_is_nobody_elses() {
    let gate = Gate::closed();
    let waits = gate.clone();
    let provider = Scripted::start(move |asked| {
        let gate = waits.clone();
        async move {
            gate.pass().await;
            if asked.credential() == "Bearer bad" { unauthorized() } else { Some(good(&asked)) }
        }
    });
    let sidecar = Sidecar::with(provider.address, SHARED);
    let client = sidecar.client();
    let ask = Ask::of(["refused"]);
    let asking = ["bad", "good", "bad", "good"].map(|key| {
        let (client, ask) = (client.clone(), by(key, &ask));
        async move { (client.embed(&ask).await, chat(&client, key, "refused").await) }
    });
    let asking = Aside::start(all(asking));
    provider.called(2).await;
    gate.open();
    for (n, (embedded, said)) in asking.done().await.into_iter().enumerate() {
        let right = [401, 200][n % 2];
        assert_eq!(embedded.status, right, "{embedded:?}");
        // By then the good one's answer may be stored, and is everybody's.
        assert!(said.status == right || is_hit(&said), "{said:?}");
    }
}

#[tokio::test]
async fn a_limit_that_one_credential_has_is_not_anothers() {
    let provider = Scripted::start(|asked| async move {
        let few = asked.credential() == "Bearer small" && asked.inputs().len() > 2;
        let message = "Maximum allowed batch size is 2";
        let error = serde_json::json!({ "error": { "message": message } });
        Some(if few { crate::harness::json(413, &error) } else { good(&asked) })
    });
    let sidecar = Sidecar::with(provider.address, SHARED);
    let client = sidecar.client();
    client.right(&by("small", &Ask::of(texts("small", 8)))).await;
    let before = provider.calls().len();
    assert!(before > 4, "{before}");
    client.right(&by("large", &Ask::of(texts("large", 8)))).await;
    assert_eq!(provider.calls().len(), before + 1);
}

#[tokio::test]
async fn a_header_can_say_who_shares_and_the_provider_does_not_see_it() {
    let provider = plain();
    let sidecar = Sidecar::with(provider.address, BY_TENANT);
    let (client, ask) = (sidecar.client(), Ask::of(texts("tenant", 2)));
    let of = |key, tenant| by(key, &ask).header("x-tenant", tenant);
    for (asked, calls) in [
        (of("a", "red"), 1),
        (of("b", "red"), 1),
        (of("b", "blue"), 2),
        (by("b", &ask), 3),
        (by("a", &ask), 4),
        (of("a", "red").header("x-tenant", "blue"), 5),
        (of("a", ""), 5),
        (by("b", &ask), 5),
    ] {
        client.right(&asked).await;
        assert_eq!(provider.calls().len(), calls, "{asked:?}");
    }
    client.send(http::Method::GET, "/v1/models?x", &[JSON, ("x-tenant", "red")], "").await;
    for call in provider.calls() {
        assert!(!call.headers.contains_key("x-tenant"), "{call:?}");
    }
}

#[tokio::test]
async fn callers_without_the_header_of_the_scope_share_with_no_other_credential() {
    let provider = plain();
    let sidecar = Sidecar::with(provider.address, BY_TENANT);
    let (client, ask) = (sidecar.client(), Ask::of(["fails closed"]));
    // One caller's chat went to another caller, and to one without any credential.
    let first = chat(&client, "a", "secret").await;
    assert!(!is_hit(&first) && !is_hit(&chat(&client, "b", "secret").await));
    assert!(is_hit(&chat(&client, "a", "secret").await));
    assert_eq!(provider.calls().len(), 2);
    client.right(&by("a", &ask)).await;
    client.right(&by("a", &ask).path("/v1/embeddings?key=c")).await;
    assert_eq!(provider.calls().len(), 4);
    for blank in ["", " "] {
        assert!(is_hit(&client.right(&by("a", &ask).header("x-tenant", blank)).await));
        client.right(&by("b", &ask).header("x-tenant", blank)).await;
    }
    assert_eq!(provider.calls().len(), 5);
}

#[tokio::test]
async fn a_request_without_scope_and_credential_shares_nothing() {
    let provider = plain();
    let sidecar = Sidecar::with(provider.address, BY_TENANT);
    let client = sidecar.client();
    let ask = Ask::of(["anonymous"]);
    let mut connection = Raw::connect(sidecar.proxy).await;
    for calls in 1..=4 {
        connection.send(Raw::embed(&ask)).await;
        let answer = connection.answer().await;
        ask.check(&answer);
        assert_eq!(answer.header("cache-status"), "larder; fwd=bypass; detail=no-scope");
        assert_eq!(provider.calls().len(), calls);
    }
    let body = serde_json::json!({ "model": "m", "temperature": 0, "messages": [] });
    for calls in 5..=6 {
        client.chat(&body).await;
        assert_eq!(provider.calls().len(), calls);
    }
    let explained = client.embed(&ask.header("x-larder-explain", "1")).await;
    assert!(explained.header("x-larder-explain").contains("cache.scope"), "{explained:?}");
}

#[tokio::test]
async fn requests_without_the_header_of_the_scope_can_be_refused() {
    let provider = plain();
    let config = "[cache]\nscope = \"header:x-tenant\"\nscope_required = true\n";
    let sidecar = Sidecar::with(provider.address, config);
    let (client, ask) = (sidecar.client(), by("a", &Ask::of(["required"])));
    for refused in [ask.clone(), ask.clone().header("x-tenant", "")] {
        let refused = client.embed(&refused).await;
        assert!(refused.is_own_error(400, "bad_request"), "{refused:?}");
        assert!(refused.text().contains("x-tenant"), "{refused:?}");
    }
    assert_eq!(client.get("/v1/files").await.status, 400);
    client.right(&ask.header("x-tenant", "red")).await;
    assert_eq!(provider.calls().len(), 1);
    let wrong = complaints("[cache]\nscope_required = true\n").concat();
    assert!(wrong.contains("cache.scope_required"), "{wrong}");
}

#[test]
fn a_header_that_the_call_needs_says_nothing_of_who_shares() {
    for (scope, reason) in [
        ("header:Authorization", "is a header that provider calls need"),
        ("header:content-type", "is a header that provider calls need"),
        ("everyone", "expected `credential`"),
    ] {
        let file = config_file(&format!("[cache]\nscope = \"{scope}\"\n"));
        let said = larder(&["check", "--config", file.name()]).output().unwrap();
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{text}");
        assert!(text.contains("cache.scope") && text.contains(reason), "{text}");
    }
}

#[tokio::test]
async fn a_header_that_no_provider_saw_is_no_part_of_what_is_stored() {
    let provider = plain();
    let sidecar = Sidecar::with(provider.address, SHARED);
    let ask = Ask::of(["hop"]).header("openai-beta", "x");
    // The provider answers without it, since `Connection` says that it is of this hop.
    let mut connection = Raw::connect(sidecar.proxy).await;
    connection.send(Raw::embed(&ask.clone().header("connection", "openai-beta, keep-alive"))).await;
    ask.check(&connection.answer().await);
    assert!(!provider.calls()[0].headers.contains_key("openai-beta"));
    let with = sidecar.client().right(&ask).await;
    assert!(!is_hit(&with), "{with:?}");
    assert_eq!(provider.calls()[1].headers["openai-beta"], "x");
    let without = sidecar.client().right(&Ask::of(["hop"])).await;
    assert!(is_hit(&without), "{without:?}");
}
