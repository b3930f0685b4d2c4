//! The files of a recording: what is not in them, what is wrong with them, and who else writes them.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use super::{CHAT, Recording, finish, post, text};
use crate::harness::{
    Aside, Ask, Client, Scripted, Simulated, all, answer, json as reply, larder, texts, until,
};

const CREDENTIAL: &str = "sk-Canary0Qh7vBearerZw3n";

fn chat(content: &str) -> String {
    json!({ "model": "m", "messages": [{ "role": "user", "content": content }] }).to_string()
}

#[tokio::test]
async fn no_file_holds_a_credential_or_what_was_asked() {
    let provider = Scripted::start(|asked| async move {
        let echo = format!("the key {} is fine", asked.credential());
        let mut said = reply(200, &json!({ "said": echo }));
        for (name, value) in [
            ("set-cookie", "CanaryCookie"),
            ("x-request-id", "CanaryRequest"),
            ("openai-organization", "CanaryAccount"),
            ("openai-version", CREDENTIAL),
        ] {
            said.headers_mut().insert(name, value.parse().unwrap());
        }
        Some(said)
    });
    let recording = Recording::new();
    let sidecar = recording.record(provider.address);
    let bearer = format!("Bearer {CREDENTIAL}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
        ("cookie", "CanaryOwnCookie"),
        ("openai-project", "CanaryProject"),
    ];
    let path = format!("{CHAT}?key=CanaryQueryKeyValGc&v=1");
    let body = chat("CanaryPrompt");
    let answer = sidecar.client().send(http::Method::POST, &path, &headers, body.clone()).await;
    assert!(answer.text().contains(CREDENTIAL), "the client has what the provider said");
    finish(sidecar).await;
    let files = recording.answers();
    let file = text(&files[0]);
    assert_eq!(files.len(), 1);
    assert!(!file.contains("Canary"), "{file}");
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file["text"], r#"{"said":"the key Bearer *** is fine"}"#);
    assert_eq!(file["headers"], json!([["content-type", "application/json"]]));
    let replay = recording.replay();
    let again = post(&replay.client(), &format!("{CHAT}?v=1"), &body).await;
    assert_eq!(again.status, 200, "{again:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named_at_the_start() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let sidecar = recording.record(provider.address);
    post(&sidecar.client(), CHAT, &chat("a")).await;
    sidecar.client().right(&Ask::of(["a"])).await;
    finish(sidecar).await;
    let words = recording.answers().remove(0);
    let input = recording.files("inputs").remove(0);
    let (good_words, good_input) = (text(&words), text(&input));
    let stray = recording.0.join("answers/notes.json");
    for (file, bad) in [
        (&words, "{".to_owned()),
        (&words, good_words.replace("\"larder_recording\": 1", "\"larder_recording\": 9")),
        (&words, good_words.replace("\"status\": 200", "\"status\": 20000")),
        (&words, good_words.replace("\"text\":", "\"other\":")),
        (&input, good_input.replace("\"vector\": \"", "\"vector\": \"AAAA")),
        (&input, "<<<<<<< HEAD".to_owned()),
        (&stray, "{}".to_owned()),
    ] {
        fs::write(file, &bad).unwrap();
        let (code, err) = start(&recording);
        assert_eq!(code, Some(2), "{bad}: {err}");
        assert!(err.contains(file.to_str().unwrap()), "{bad}: {err}");
        fs::write(&words, &good_words).unwrap();
        fs::write(&input, &good_input).unwrap();
    }
    fs::remove_file(stray).unwrap();
    recording.replay().client().right(&Ask::of(["a"])).await;
    let nowhere = Recording::new();
    let (code, err) = start(&nowhere);
    assert!(code == Some(2) && err.contains(nowhere.name()), "{err}");
    let Output { status, stderr, .. } = larder(&["serve", "--mode", "replay"]).output().unwrap();
    let err = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(2) && err.contains("server.recordings: is missing"), "{err}");
}

/// A sidecar that is to fail at its start.
fn start(recording: &Recording) -> (Option<i32>, String) {
    let options = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let mode = ["--mode", "replay", "--recordings", recording.name()];
    let Output { status, stderr, .. } = larder(&[&options[..], &mode].concat()).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// Asks for new embeddings until nobody answers; how often it was answered.
async fn ask_until_it_is_gone(client: Client) -> usize {
    let mut answered = 0;
    while client.try_embed(&Ask::of(texts(&format!("killed {answered}"), 20))).await.is_ok() {
        answered += 1;
    }
    answered
}

#[tokio::test]
async fn a_recording_is_good_wherever_its_writer_was_killed() {
    let provider = Simulated::instant();
    for after in [5, 20, 60] {
        let recording = Recording::new();
        let mut sidecar = recording.record(provider.address);
        let asking = Aside::start(ask_until_it_is_gone(sidecar.client()));
        until("something is recorded", || async { recording.files("inputs").len() > 20 }).await;
        tokio::time::sleep(Duration::from_millis(after)).await;
        sidecar.signal("KILL");
        sidecar.ended().await;
        let answered = asking.done().await;
        let is_whole = |file: &PathBuf| file.extension().is_some_and(|end| end == "json");
        let whole = recording.files("inputs").into_iter().filter(is_whole).count();
        let (replay, mut found) = (recording.replay(), 0);
        // The call that the kill met may have been recorded as well.
        for text in (0..=answered).flat_map(|call| texts(&format!("killed {call}"), 20)) {
            let ask = Ask::of([text]);
            let answer = replay.client().embed(&ask).await;
            if answer.status == 200 {
                ask.check(&answer);
                found += 1;
            } else {
                assert_eq!(answer.header("x-larder-error"), "not_recorded", "{answer:?}");
            }
        }
        assert!(found == whole && found > 0, "{found} of {whole}");
    }
}

#[tokio::test]
async fn two_may_record_into_one_folder() {
    let provider = Scripted::start(|asked| async move {
        let words = json!({ "said": asked.number });
        let vectors = asked.path.contains("embeddings").then(|| answer(&asked));
        Some(reply(200, &vectors.unwrap_or(words)))
    });
    let recording = Recording::new();
    let sidecars = [recording.record(provider.address), recording.record(provider.address)];
    let work = sidecars.iter().flat_map(|sidecar| {
        (0..40).map(|n| {
            let client = sidecar.client();
            async move {
                post(&client, CHAT, &chat(&format!("{}", n % 7))).await;
                client.right(&Ask::of(texts("both", n % 9 + 1))).await;
            }
        })
    });
    all(work.collect::<Vec<_>>()).await;
    for sidecar in sidecars {
        finish(sidecar).await;
    }
    let replay = recording.replay();
    replay.client().right(&Ask::of(texts("both", 9))).await;
    for n in 0..7 {
        assert_eq!(post(&replay.client(), CHAT, &chat(&format!("{n}"))).await.status, 200);
    }
}

#[tokio::test]
async fn recording_again_replaces_what_is_asked_again_and_touches_nothing_else() {
    let provider = Scripted::start(|asked| async move {
        let said = asked.json()["messages"][0]["content"].clone();
        let said = if said == "kept" { said } else { json!(asked.number) };
        Some(reply(200, &json!({ "said": said })))
    });
    let recording = Recording::new();
    let sidecar = recording.record(provider.address);
    for content in ["kept", "new", "new", "new", "old"] {
        post(&sidecar.client(), CHAT, &chat(content)).await;
    }
    finish(sidecar).await;
    assert_eq!(recording.answers().len(), 5);
    let before = recording.answers().into_iter().map(|file| (text(&file), file));
    let before: Vec<_> = before.collect();
    // The seconds are a part of the files.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let sidecar = recording.record(provider.address);
    for content in ["kept", "new", "new"] {
        post(&sidecar.client(), CHAT, &chat(content)).await;
    }
    finish(sidecar).await;
    assert_eq!(recording.answers().len(), 4);
    let same = before.iter().filter(|(was, file)| file.exists() && text(file) == *was).count();
    assert_eq!(same, 2, "what was kept, and what was not asked again");
    let replay = recording.replay();
    for (content, said) in [("new", 6), ("new", 7), ("new", 7), ("old", 4)] {
        let again = post(&replay.client(), CHAT, &chat(content)).await;
        assert_eq!(again.text(), json!({ "said": said }).to_string());
    }
}
