//! `larder run` records a command's calls once, and replays them to it afterwards.

use std::process::Command;

use super::Recording;
use crate::harness::{Simulated, larder};
use crate::run::ended;

/// What a test of an application does: an embedding, and words that stream.
const TEST: &str = r#"
import http.client, os, urllib.parse
base = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
def ask(path, body):
    connection = http.client.HTTPConnection(base.netloc, timeout=20)
    connection.request("POST", base.path + path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()
print(ask("/embeddings", '{"model":"m","input":["a","b"]}'))
print(ask("/chat/completions", '{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'))
"#;

fn run(recording: &Recording, mode: &str, others: &[&str]) -> Command {
    let options = ["run", "--mode", mode, "--recordings", recording.name()];
    let mut run = larder(&[&options[..], others, &["--", "python3", "-c", TEST]].concat());
    run.env("PATH", std::env::var_os("PATH").unwrap());
    run
}

#[tokio::test]
async fn a_command_is_told_the_same_without_a_provider() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let upstream = format!("http://{}/v1", provider.address);
    let (recorded, replayed) = tokio::task::spawn_blocking(move || {
        let recorded = ended(run(&recording, "record", &["--upstream", &upstream]));
        // As in CI: nothing is configured but the mode, and the variables are the environment's.
        let mut replay = larder(&["run", "--", "python3", "-c", TEST]);
        replay.env("PATH", std::env::var_os("PATH").unwrap());
        replay.env("LARDER_MODE", "replay").env("LARDER_RECORDINGS", recording.name());
        replay.env("OPENAI_BASE_URL", "http://127.0.0.1:1/v1");
        let replayed = [ended(run(&recording, "replay", &[])), ended(replay)];
        (recorded, replayed)
    })
    .await
    .unwrap();
    assert_eq!(recorded.0, Some(0), "{}", recorded.2);
    assert!(recorded.1.contains("[DONE]"), "{}", recorded.1);
    for (code, out, err) in replayed {
        assert_eq!((code, &out), (Some(0), &recorded.1), "{err}");
    }
    assert_eq!(provider.stats().await.embedding_requests, 1);
}
