//! Each input is cached by itself, and every answer says what the cache did.

use serde_json::json;

use crate::harness::{
    Answer, Ask, Client, In, Scripted, Sidecar, Simulated, answer, json, texts, until,
};

struct Pair {
    provider: Simulated,
    sidecar: Sidecar,
    client: Client,
}

fn pair() -> Pair {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    Pair { provider, sidecar, client }
}

impl Pair {
    /// Calls for embeddings and inputs in them, so far.
    async fn asked(&self) -> (u64, u64) {
        let stats = self.provider.stats().await;
        (stats.embedding_requests, stats.inputs)
    }

    /// Whether the second of two requests is answered from what the first one brought.
    async fn shares(&self, first: &Ask, second: &Ask) -> bool {
        self.client.right(first).await;
        let before = self.asked().await;
        self.client.right(second).await;
        self.asked().await == before
    }
}

/// That what the cache did is said in exactly these words.
fn said(answer: &Answer, status: &str, items: &str) {
    assert_eq!(answer.header("cache-status"), status);
    assert_eq!(answer.header("x-larder-items"), items);
    let timing = answer.header("server-timing");
    let names: Vec<&str> = timing
        .split(", ")
        .map(|part| {
            let (name, time) = part.split_once(";dur=").unwrap();
            assert_eq!(time.split_once('.').unwrap().1.len(), 3, "{timing}");
            assert!(time.parse::<f64>().unwrap() >= 0.0);
            name
        })
        .collect();
    assert_eq!(names, ["cache", "queue", "upstream"]);
}

#[tokio::test]
async fn of_32_inputs_with_24_cached_8_are_asked_for_in_one_call() {
    let pair = pair();
    let all = texts("doc", 32);
    let miss = pair.client.right(&Ask::of(all[..24].to_vec())).await;
    said(&miss, "larder; fwd=miss; stored", "hit=0, collapsed=0, miss=24");
    assert!(!miss.headers.contains_key("age"));
    let partial = pair.client.right(&Ask::of(all.clone())).await;
    said(&partial, "larder; fwd=partial; stored", "hit=24, collapsed=0, miss=8");
    assert!(!partial.headers.contains_key("age"));
    let stats = pair.provider.stats().await;
    assert_eq!(stats.batch_sizes, [(8, 1), (24, 1)].into());
    let hit = pair.client.right(&Ask::of(all)).await;
    said(&hit, "larder; hit; detail=memory", "hit=32, collapsed=0, miss=0");
    assert!(hit.header("age").parse::<u64>().unwrap() < 5, "{hit:?}");
    assert_eq!(pair.asked().await, (2, 32));
}

#[tokio::test]
async fn an_input_that_stands_twice_is_asked_for_once_where_the_call_is_rebuilt() {
    let pair = pair();
    pair.client.right(&Ask::of(["cached input 1"])).await;
    let ask = Ask::of(["twice: input 2", "cached input 1", "twice: input 2", "twice: input 3"]);
    let partial = pair.client.right(&ask).await;
    said(&partial, "larder; fwd=partial; stored", "hit=1, collapsed=1, miss=2");
    assert_eq!(pair.provider.stats().await.batch_sizes, [(1, 1), (2, 1)].into());
}

#[tokio::test]
async fn callers_of_floats_and_of_base64_share_an_entry_bit_for_bit() {
    let pair = pair();
    let float = Ask::of(texts("float first", 5));
    assert!(!pair.shares(&float, &float.clone().base64()).await, "no vector came both ways yet");
    let float = Ask::of(texts("base64 first", 5));
    assert!(pair.shares(&float.clone().base64(), &float).await);
    let float = Ask::of(texts("float again", 5));
    assert!(pair.shares(&float, &float.clone().base64()).await);
}

#[tokio::test]
async fn after_base64_the_first_numbers_are_the_providers_and_from_then_on_both_share() {
    let pair = pair();
    let float = Ask::of(texts("base64", 5));
    assert!(!pair.shares(&float.clone().base64(), &float).await, "its printing was not known");
    assert!(pair.shares(&float, &float.clone().base64()).await);
    assert!(pair.shares(&Ask::of(["one more"]).base64(), &Ask::of(["one more"])).await);
}

#[tokio::test]
async fn what_means_the_same_shares_an_entry() {
    let pair = pair();
    let list = Ask::of(["one text"]);
    assert!(pair.shares(&list, &Ask::scalar("one text")).await);
    let tokens = Ask::inputs(vec![In::Tokens(vec![1, 2, 3])]);
    assert!(pair.shares(&tokens, &Ask { scalar: true, ..tokens.clone() }).await);
    for (name, value) in [
        ("user-agent", "other/1.0"),
        ("x-stainless-retry-count", "0"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-request-id", "7"),
        ("accept-encoding", "gzip"),
    ] {
        assert!(pair.shares(&list, &list.clone().header(name, value)).await, "{name}");
    }
    let named = list.clone().path("/openai/v1/embeddings");
    assert!(pair.shares(&list, &named).await);
}

#[tokio::test]
async fn what_may_change_the_answer_has_an_entry_of_its_own() {
    let pair = pair();
    let ask = Ask::of(["1 2 3"]).header("authorization", "Bearer a");
    let other = |name, value| Ask { headers: Vec::new(), ..ask.clone() }.header(name, value);
    let others = [
        Ask::inputs(vec![In::Tokens(vec![1, 2, 3])]).header("authorization", "Bearer a"),
        other("authorization", "Bearer b"),
        other("api-key", "a"),
        ask.clone().header("openai-organization", "o"),
        ask.clone().header("x-nobody-knows", "1"),
        ask.clone().dimensions(4),
        ask.clone().path("/v1/embeddings?api-version=1"),
        Ask { model: "other".to_owned(), ..ask.clone() },
        Ask { more: vec![("input_type", json!("query"))], ..ask.clone() },
        Ask { inputs: vec![In::Text("1 2 3 ".to_owned())], ..ask.clone() },
    ];
    for other in &others {
        assert!(!pair.shares(&ask, other).await, "{other:?}");
        assert!(pair.shares(other, &ask).await, "{other:?}");
    }
}

#[tokio::test]
async fn a_blank_input_is_right_alone_and_among_others() {
    let pair = pair();
    for blank in [" ", "\n", "\u{2003}"] {
        pair.client.right(&Ask::scalar(blank)).await;
        pair.client.right(&Ask::of([blank])).await;
        pair.client.right(&Ask::of(["12345678", blank])).await;
        assert!(pair.shares(&Ask::of([blank]), &Ask::of([blank])).await);
    }
}

#[tokio::test]
async fn an_empty_input_is_the_provider_s_to_refuse() {
    let pair = pair();
    let direct = Client::new(pair.provider.address);
    for ask in [Ask::scalar(""), Ask::of([""]), Ask::of(["good", ""])] {
        let (got, right) = (pair.client.embed(&ask).await, direct.embed(&ask).await);
        if right.status == 200 {
            ask.check(&got);
        } else {
            assert_eq!((got.status, got.body), (right.status, right.body), "{ask:?}");
        }
    }
    pair.client.right(&Ask::of(["good"])).await;
}

#[tokio::test]
async fn no_store_neither_reads_nor_stores() {
    let pair = pair();
    let ask = Ask::of(["kept out!"]);
    let private = ask.clone().header("cache-control", "no-store");
    let bypass = pair.client.right(&private).await;
    assert_eq!(bypass.header("cache-status"), "larder; fwd=bypass; detail=no-store");
    assert!(!bypass.headers.contains_key("x-larder-items"));
    said(&pair.client.right(&ask).await, "larder; fwd=miss; stored", "hit=0, collapsed=0, miss=1");
    pair.client.right(&private).await;
    assert_eq!(pair.asked().await.0, 3);
}

#[tokio::test]
async fn no_cache_asks_anew_and_keeps_what_comes() {
    let pair = pair();
    let ask = Ask::of(texts("anew", 3));
    pair.client.right(&ask).await;
    let again = pair.client.right(&ask.clone().header("cache-control", "no-cache")).await;
    said(&again, "larder; fwd=request; stored; detail=no-cache", "hit=0, collapsed=0, miss=3");
    assert_eq!(pair.asked().await, (2, 6));
    pair.client.right(&ask).await;
    assert_eq!(pair.asked().await, (2, 6));
}

#[tokio::test]
async fn only_if_cached_makes_no_call() {
    let pair = pair();
    let ask = Ask::of(texts("only", 2)).header("cache-control", "only-if-cached");
    let none = pair.client.embed(&ask).await;
    assert!(none.is_own_error(504, "not_cached"), "{none:?}");
    assert_eq!(none.header("x-should-retry"), "false");
    // What did not go forward has no `fwd` (RFC 9211, section 2.2).
    assert_eq!(none.header("cache-status"), "larder; detail=only-if-cached");
    assert_eq!(pair.asked().await.0, 0);
    pair.client.right(&Ask::of(texts("only", 2))).await;
    pair.client.right(&ask).await;
    assert_eq!(pair.asked().await.0, 1);
}

#[tokio::test]
async fn nothing_older_than_max_age_is_given() {
    let pair = pair();
    let ask = Ask::of(["ages"]);
    pair.client.right(&ask).await;
    let young = |seconds| ask.clone().header("cache-control", &format!("max-age={seconds}"));
    let hit = pair.client.right(&young(60)).await;
    said(&hit, "larder; hit; detail=memory", "hit=1, collapsed=0, miss=0");
    until("the entry is a second old or more", || async {
        pair.client.embed(&ask).await.header("age") != "0"
    })
    .await;
    let miss = pair.client.right(&young(0)).await;
    let right = "larder; fwd=request; stored; detail=max-age";
    said(&miss, right, "hit=0, collapsed=0, miss=1");
    assert_eq!(pair.client.right(&ask).await.header("age"), "0");
}

#[tokio::test]
async fn an_entry_with_a_time_to_live_ends() {
    let pair = pair();
    let ask = Ask::of(["short-lived"]);
    pair.client.right(&ask.clone().header("x-larder-ttl", "60")).await;
    let hit = pair.client.right(&ask).await;
    assert!(
        ["larder; hit; ttl=60; detail=memory", "larder; hit; ttl=59; detail=memory"]
            .contains(&hit.header("cache-status")),
        "{hit:?}"
    );
    let brief = Ask::of(["shorter-lived"]);
    pair.client.right(&brief.clone().header("x-larder-ttl", "1")).await;
    until("the entry ends", || async {
        pair.client.right(&brief).await.header("cache-status") == "larder; fwd=stale; stored"
    })
    .await;
}

#[tokio::test]
async fn the_default_time_to_live_is_the_configuration_s() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[cache]\nttl = \"1h\"\n");
    let client = sidecar.client();
    client.right(&Ask::of(["x"])).await;
    let hit = client.right(&Ask::of(["x"])).await;
    assert!(hit.header("cache-status").starts_with("larder; hit; ttl=3"), "{hit:?}");
}

#[tokio::test]
async fn directives_are_for_larder_and_credentials_for_the_provider() {
    let provider = Scripted::start(|asked| async move { Some(json(200, &answer(&asked))) });
    let sidecar = Sidecar::before(provider.address);
    let ask = Ask::of(["x"])
        .header("cache-control", "max-age=5")
        .header("x-larder-ttl", "5")
        .header("authorization", "Bearer secret-key")
        .header("x-mine", "1");
    sidecar.client().right(&ask).await;
    let seen = &provider.calls()[0];
    assert_eq!(seen.path, "/v1/embeddings");
    assert_eq!(seen.body, ask.body(), "a request that is alone goes in its own bytes");
    assert_eq!(seen.credential(), "Bearer secret-key");
    assert_eq!(seen.headers["x-mine"], "1");
    for name in ["cache-control", "x-larder-ttl"] {
        assert!(!seen.headers.contains_key(name), "{name}");
    }
    assert!(!sidecar.log().contains("secret-key"));
}

#[tokio::test]
async fn a_hit_carries_nothing_that_was_meant_for_another() {
    let pair = pair();
    let ask = Ask::of(["x"]);
    let miss = pair.client.right(&ask).await;
    assert!(miss.headers.contains_key("x-ratelimit-limit-requests"), "{miss:?}");
    let hit = pair.client.right(&ask).await;
    let names: Vec<&str> = hit.headers.keys().map(http::HeaderName::as_str).collect();
    for name in ["x-request-id", "openai-processing-ms", "set-cookie", "retry-after"] {
        assert!(!names.contains(&name), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.starts_with("x-ratelimit")), "{names:?}");
}

#[tokio::test]
async fn metrics_tell_hits_from_misses() {
    let pair = pair();
    pair.client.right(&Ask::of(texts("m", 3))).await;
    pair.client.right(&Ask::of(texts("m", 4))).await;
    let lookups = "larder_cache_lookups_total";
    assert!((pair.sidecar.metric(lookups, "hit").await - 3.0).abs() < 0.5);
    assert!((pair.sidecar.metric(lookups, "miss").await - 4.0).abs() < 0.5);
    assert!((pair.sidecar.metric("larder_cache_entries", "").await - 4.0).abs() < 0.5);
}
