//! Embeddings are recorded by their inputs.

use serde_json::json;

use super::{Recording, finish, text};
use crate::harness::{Ask, Scripted, Sidecar, Simulated, answer, json as reply, path, texts};

#[tokio::test]
async fn inputs_are_found_in_other_lists_and_other_encodings() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let sidecar = recording.record(provider.address);
    sidecar.client().right(&Ask::of(["a", "b", "c"])).await;
    sidecar.client().right(&Ask::of(["b", "d"]).base64()).await;
    sidecar.client().right(&Ask::of(["a"]).dimensions(4)).await;
    finish(sidecar).await;
    assert_eq!((recording.files("inputs").len(), recording.answers().len()), (5, 0));
    let replay = recording.replay();
    for ask in [
        Ask::of(["a", "b", "c"]),
        Ask::of(["c"]),
        Ask::scalar("a"),
        Ask::of(["d", "a", "a"]),
        Ask::of(["d", "b"]).base64(),
        Ask::of(["c", "b", "a"]).base64(),
        Ask::of(["a"]).dimensions(4),
        Ask::of(["d"]).header("authorization", "Bearer somebody else"),
        Ask::of(["a"]).header("cache-control", "no-store"),
    ] {
        let answer = replay.client().right(&ask).await;
        assert_eq!(answer.header("cache-status"), "larder; hit; detail=recording");
    }
    replay.called_nobody();
}

#[tokio::test]
async fn a_replayed_answer_is_the_recorded_one_byte_for_byte() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let sidecar = recording.record(provider.address);
    let asks = [Ask::of(texts("same", 7)), Ask::of(texts("same", 7)).base64()];
    let mut recorded = Vec::new();
    for ask in &asks {
        recorded.push(sidecar.client().right(ask).await.body);
    }
    finish(sidecar).await;
    let replay = recording.replay();
    for (ask, recorded) in asks.iter().zip(recorded) {
        assert_eq!(replay.client().right(ask).await.body, recorded);
    }
}

#[tokio::test]
async fn what_the_cache_has_is_recorded_too() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let cache = path("cache");
    let config = |more: String| format!("{more}[disk]\ndir = {cache:?}\n");
    let ask = Ask::of(texts("cached", 3));
    let sidecar = Sidecar::with(provider.address, &config(String::new()));
    sidecar.client().right(&ask).await;
    finish(sidecar).await;
    let sidecar = Sidecar::with(provider.address, &config(recording.config("record")));
    for _ in 0..3 {
        assert_eq!(sidecar.client().right(&ask).await.hits(), 3);
    }
    finish(sidecar).await;
    assert_eq!(provider.stats().await.embedding_requests, 1);
    recording.replay().client().right(&ask).await;
    drop(std::fs::remove_dir_all(cache));
}

#[tokio::test]
async fn what_was_not_recorded_says_what_differs_and_never_what_was_asked() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let sidecar = recording.record(provider.address);
    sidecar.client().right(&Ask::of(["a", "b"])).await;
    finish(sidecar).await;
    let replay = recording.replay();
    let small = "text-embedding-3-small";
    for (ask, says) in [
        (
            Ask::of(["a", "Canary", "b"]),
            format!(
                "1 of 3 inputs; POST /v1/embeddings of openai with model \"{small}\" is recorded, but with a different query or body"
            ),
        ),
        (
            Ask { model: "other".to_owned(), ..Ask::of(["a"]) },
            format!(
                "1 of 1 inputs; POST /v1/embeddings of openai is recorded with model \"{small}\", not with model \"other\""
            ),
        ),
        (
            Ask::of(["a"]).path("/mistral/v1/embeddings"),
            "POST /v1/embeddings of mistral has no recording".to_owned(),
        ),
    ] {
        let answer = replay.client().embed(&ask).await;
        let said = answer.text();
        let plain = said.replace("\\\"", "\"");
        assert!(plain.contains(&says) && !said.contains("Canary"), "{said}");
        if !ask.path.contains("mistral") {
            assert!(answer.is_own_error(404, "not_recorded"), "{answer:?}");
        }
        assert_eq!(answer.header("x-should-retry"), "false");
    }
    replay.called_nobody();
    let log = replay.sidecar.log();
    assert!(log.contains("not recorded: ") && !log.contains("Canary"));
}

#[tokio::test]
async fn an_error_is_replayed_where_no_vector_came_and_gone_where_one_did() {
    let provider = Scripted::start(|asked| async move {
        let say = |status: u16, what: &str| {
            Some(reply(status, &json!({ "error": { "message": what, "code": what } })))
        };
        if asked.holds("bad") {
            return say(400, "no such input");
        }
        if asked.number == 0 {
            return say(500, "a moment");
        }
        Some(reply(200, &answer(&asked)))
    });
    let recording = Recording::new();
    let sidecar = recording.record(provider.address);
    let (good, bad) = (Ask::of(["good"]), Ask::of(["good", "bad"]));
    assert_eq!(sidecar.client().embed(&good).await.status, 500);
    sidecar.client().right(&good).await;
    let refused = sidecar.client().embed(&bad).await;
    assert_eq!(refused.status, 400);
    finish(sidecar).await;
    let replay = recording.replay();
    replay.client().right(&good).await;
    for _ in 0..2 {
        let again = replay.client().embed(&bad).await;
        assert_eq!((again.status, &again.body), (400, &refused.body));
    }
    replay.called_nobody();
}

#[tokio::test]
async fn requests_that_the_cache_does_not_know_are_recorded_as_they_are() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let sidecar = recording.record(provider.address);
    let ask = Ask::of(["a", "b"]).header("cache-control", "no-store");
    let recorded = sidecar.client().right(&ask).await;
    finish(sidecar).await;
    assert_eq!(recording.answers().len(), 1);
    assert!(text(&recording.answers()[0]).contains("\"text-embedding-3-small\""));
    let replay = recording.replay();
    assert_eq!(replay.client().right(&ask).await.body, recorded.body);
}
