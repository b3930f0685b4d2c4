//! A stored answer is for whom the provider knows.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::time::sleep;

use super::{by, chat, good, unauthorized};
use crate::harness::{self, Answer, Aside, Ask, Gate, Scripted, Sidecar, all, texts};

/// A provider that knows some keys, and can be told to forget them or to say nothing.
struct Strict {
    provider: Scripted,
    known: Arc<Mutex<HashSet<&'static str>>>,
    mute: Arc<AtomicBool>,
}

impl Strict {
    fn knowing(keys: &[&'static str]) -> Self {
        let gate = Gate::closed();
        gate.open();
        Self::behind(&gate, keys)
    }

    /// Its lists wait at a gate.
    fn behind(gate: &Gate, keys: &[&'static str]) -> Self {
        let known = Arc::new(Mutex::new(keys.iter().copied().collect::<HashSet<_>>()));
        let mute = Arc::new(AtomicBool::new(false));
        let (keyring, is_mute, gate) = (Arc::clone(&known), Arc::clone(&mute), gate.clone());
        let provider = Scripted::start(move |asked| {
            let key = asked.credential().replace("Bearer ", "");
            let (keyring, is_mute) = (Arc::clone(&keyring), Arc::clone(&is_mute));
            let gate = gate.clone();
            async move {
                if asked.path.ends_with("/open") {
                    return Some(harness::json(200, &json!({})));
                }
                if asked.path.ends_with("/models") {
                    gate.pass().await;
                }
                if is_mute.load(Ordering::Relaxed) {
                    return None;
                }
                if !keyring.lock().unwrap().contains(key.as_str()) {
                    return unauthorized();
                }
                let list = asked.path.ends_with("/models");
                Some(if list { harness::json(200, &json!({ "data": [] })) } else { good(&asked) })
            }
        });
        Self { provider, known, mute }
    }

    fn sidecar(&self, every: &str, more: &str) -> Sidecar {
        let access = format!("[access]\nauth = \"verify\"\nverify_every = \"{every}\"\n");
        let cache = format!("[cache]\nscope = \"shared\"\n{more}");
        Sidecar::with(self.provider.address, &format!("{access}{cache}"))
    }

    fn forget(&self, key: &str) {
        self.known.lock().unwrap().remove(key);
    }

    fn mute(&self) {
        self.mute.store(true, Ordering::Relaxed);
    }

    /// How many lists and how many others were asked for.
    fn calls(&self) -> (usize, usize) {
        let calls = self.provider.calls();
        let lists = calls.iter().filter(|call| call.path.ends_with("/models")).count();
        (lists, calls.len() - lists)
    }
}

fn is_hit(answer: &Answer) -> bool {
    answer.status == 200 && answer.header("cache-status").contains("; hit")
}

#[tokio::test]
async fn a_stranger_gets_the_providers_no_and_a_known_one_the_answer() {
    let strict = Strict::knowing(&["a", "b"]);
    let sidecar = strict.sidecar("5m", "");
    let (client, ask) = (sidecar.client(), Ask::of(texts("vouched", 2)));
    client.right(&by("a", &ask)).await;
    chat(&client, "a", "vouched").await;
    // An answer to a call of its own has told already.
    assert!(is_hit(&client.right(&by("a", &ask)).await));
    assert_eq!(strict.calls(), (0, 2));
    // What is open to just anybody tells nothing.
    let stranger = [("authorization", "Bearer stranger")];
    assert_eq!(client.send(Method::GET, "/v1/open", &stranger, "").await.status, 200);
    for _ in 0..2 {
        for refused in
            [client.embed(&by("stranger", &ask)).await, chat(&client, "stranger", "vouched").await]
        {
            assert_eq!(refused.status, 401, "{refused:?}");
            assert!(refused.text().contains("invalid_api_key"), "{refused:?}");
            assert_eq!(refused.header("x-larder-error"), "");
        }
    }
    let mixed = Ask::of([texts("vouched", 2), vec!["new".to_owned()]].concat());
    assert_eq!(client.embed(&by("stranger", &mixed)).await.status, 401);
    let (lists, others) = strict.calls();
    for _ in 0..3 {
        assert!(is_hit(&client.right(&by("b", &ask)).await));
        assert!(is_hit(&chat(&client, "b", "vouched").await));
    }
    assert_eq!(strict.calls(), (lists + 1, others));
    let check = strict.provider.calls().pop().unwrap();
    assert_eq!((check.path.as_str(), check.credential().as_str()), ("/v1/models", "Bearer b"));
    assert!(check.body.is_empty() && !check.headers.contains_key("content-type"), "{check:?}");
}

#[tokio::test]
async fn however_many_wait_for_it_a_check_is_one_call() {
    let gate = Gate::closed();
    let strict = Strict::behind(&gate, &["a", "b"]);
    let sidecar = strict.sidecar("5m", "");
    let (client, ask) = (sidecar.client(), Ask::of(["waited for"]));
    client.right(&by("a", &ask)).await;
    let asking = (0..40).map(|n| {
        let (client, ask) = (client.clone(), by(["b", "stranger"][n % 2], &ask));
        async move { client.embed(&ask).await }
    });
    let asking = Aside::start(all(asking.collect::<Vec<_>>()));
    sidecar.until("larder_requests_in_flight", 40.0).await;
    sleep(Duration::from_millis(100)).await;
    gate.open();
    for (n, answer) in asking.done().await.into_iter().enumerate() {
        assert_eq!(answer.status, [200, 401][n % 2], "{answer:?}");
    }
    assert_eq!(strict.calls(), (2, 1));
}

#[tokio::test]
async fn a_revoked_key_reads_no_more() {
    let strict = Strict::knowing(&["a"]);
    let sidecar = strict.sidecar("2s", "");
    let (client, ask) = (sidecar.client(), by("a", &Ask::of(["revoked"])));
    client.right(&ask).await;
    strict.forget("a");
    assert!(is_hit(&client.right(&ask).await));
    assert_eq!(strict.calls(), (0, 1));
    sleep(Duration::from_millis(1_100)).await;
    // Half of the time is over: it is asked again, and nobody waits for that.
    assert!(is_hit(&client.right(&ask).await));
    harness::until("it is asked again", || async { strict.calls().0 == 1 }).await;
    harness::until("it is refused", || async { client.embed(&ask).await.status == 401 }).await;
    assert_eq!(strict.calls().1, 1);
}

#[tokio::test]
async fn a_key_that_a_call_of_its_own_was_refused_reads_no_more() {
    let strict = Strict::knowing(&["a"]);
    let sidecar = strict.sidecar("5m", "");
    let (client, ask) = (sidecar.client(), by("a", &Ask::of(["kept"])));
    client.right(&ask).await;
    strict.forget("a");
    assert!(is_hit(&client.right(&ask).await));
    assert_eq!(client.embed(&by("a", &Ask::of(["asked for"]))).await.status, 401);
    assert_eq!(client.embed(&ask).await.status, 401);
}

#[tokio::test]
async fn while_the_provider_does_not_answer_the_last_word_holds() {
    let strict = Strict::knowing(&["a", "b"]);
    let sidecar = strict.sidecar("200ms", "");
    let (client, ask) = (sidecar.client(), Ask::of(["held"]));
    client.right(&by("a", &ask)).await;
    strict.mute();
    sleep(Duration::from_millis(300)).await;
    for _ in 0..3 {
        assert!(is_hit(&client.right(&by("a", &ask)).await));
    }
    // Of this one it never said a word: it gets what it would have got.
    let unheard = client.embed(&by("b", &ask)).await;
    assert!(unheard.is_own_error(502, "upstream_unreachable"), "{unheard:?}");
    assert!(unheard.header("cache-status").contains("unverified"), "{unheard:?}");
    let only = by("b", &ask).header("cache-control", "only-if-cached");
    assert!(client.embed(&only).await.is_own_error(504, "not_cached"));
}

#[tokio::test]
async fn the_last_word_holds_no_longer_than_is_said() {
    let strict = Strict::knowing(&["a"]);
    let sidecar = strict.sidecar("100ms", "stale_if_error = \"0\"\n");
    let (client, ask) = (sidecar.client(), by("a", &Ask::of(["over"])));
    client.right(&ask).await;
    strict.mute();
    sleep(Duration::from_millis(150)).await;
    assert_eq!(client.embed(&ask).await.status, 502);
}

#[tokio::test]
async fn where_there_is_nothing_to_ask_the_request_itself_goes() {
    let strict = Strict::knowing(&["a", "b"]);
    let voyage = format!(
        "[providers.voyage]\nbase_url = \"http://{}/voyage/v1\"\n",
        strict.provider.address
    );
    let sidecar = strict.sidecar("5m", &voyage);
    let client = sidecar.client();
    let ask = Ask::of(["no list"]).path("/voyage/v1/embeddings");
    let calls = || strict.calls();
    assert_eq!(client.embed(&by("a", &ask)).await.status, 200);
    let first = client.embed(&by("b", &ask)).await;
    assert_eq!((first.status, calls()), (200, (0, 2)), "{first:?}");
    assert!(first.header("cache-status").contains("unverified"), "{first:?}");
    assert!(is_hit(&client.embed(&by("b", &ask)).await));
    assert_eq!(client.embed(&by("stranger", &ask)).await.status, 401);
    assert_eq!(calls(), (0, 3));
}
