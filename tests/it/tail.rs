//! `larder tail` and `GET /api/requests`: the requests as they happen.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::harness::{Ask, Raw, Sidecar, Simulated, larder, until};

const TRACED: &str = "[log]\nlevel = \"trace\"\n";

/// A running `larder tail`.
struct Tail {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Tail {
    /// Starts it, and waits until the sidecar has it as a reader.
    async fn start(sidecar: &Sidecar, more: &[&str]) -> Self {
        let admin = sidecar.admin.to_string();
        let mut tail = larder(&[&["tail", "--admin-listen", &admin], more].concat());
        let mut process = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, kept) = (process.stdout.take().unwrap(), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let tail = Self { process, lines };
        // A request that it shows says that it reads.
        let ask = Ask::of(["marker"]).header("cache-control", "no-store");
        until("the tail reads", || async {
            sidecar.client().embed(&ask).await;
            !tail.lines().is_empty()
        })
        .await;
        tail
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The exit code, and standard error.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (self.process.wait().unwrap().code(), text)
    }
}

fn requests(body: &[u8]) -> Vec<Value> {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["requests"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_request_is_one_line_as_it_happens_and_ctrl_c_ends_it() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let tail = Tail::start(&sidecar, &[]).await;
    sidecar.client().right(&Ask::of(["canary one", "canary two"])).await;
    sidecar.client().right(&Ask::of(["canary one", "canary two"])).await;
    let has = |word: &str| tail.lines().iter().any(|line| line.contains(word));
    until("miss and hit are shown", || async { has("miss 0/2") && has("hit 2/2 (memory)") }).await;
    let lines = tail.lines();
    let hit = lines.iter().find(|line| line.contains("hit 2/2")).unwrap();
    let fields: Vec<&str> = hit.split_whitespace().collect();
    assert_eq!(fields[1..4], ["embed", "text-embedding-3-small", "200"], "{hit}");
    assert!(hit.ends_with("ms  openai") && !lines.join("").contains("canary"), "{lines:?}");
    let pid = tail.process.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    assert_eq!(tail.ended(), (Some(0), String::new()));
}

#[tokio::test]
async fn a_hit_that_bypasses_hyper_is_shown_with_and_without_a_reader() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, TRACED);
    let mut connection = Raw::connect(sidecar.proxy).await;
    let ask = Ask::of(["again"]);
    let fast = || sidecar.log().matches("served by the fast path").count();
    for _ in 0..5 {
        connection.send(Raw::embed(&ask)).await;
        ask.check(&connection.answer().await);
    }
    until("the fast path answers", || async { fast() >= 2 }).await;
    let last = requests(&sidecar.admin().get("/api/requests").await.body);
    assert_eq!(last.len(), 5, "{last:?}");
    assert_eq!((&last[0]["cache"], &last[0]["tier"]), (&"hit".into(), &"memory".into()));
    assert_eq!((&last[4]["cache"], &last[4]["items"]["miss"]), (&"miss".into(), &1.into()));
    let tail = Tail::start(&sidecar, &["--json"]).await;
    let before = fast();
    connection.send(Raw::embed(&ask)).await;
    ask.check(&connection.answer().await);
    let is_hit = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["cache"] == "hit" && line["model"] == ask.model && line["status"] == 200
    };
    until("the hit is shown", || async { tail.lines().iter().any(is_hit) }).await;
    // The log comes another way than the event, and may come after it.
    until("the log is read", || async { fast() > before }).await;
    assert_eq!(fast(), before + 1, "it was not the fast path");
}

#[tokio::test]
async fn it_says_why_it_ends() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nadmin_token = \"secret\"\n");
    let admin = sidecar.admin.to_string();
    let refused = larder(&["tail", "--admin-listen", &admin]).output().unwrap();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && text.contains("LARDER_ADMIN_TOKEN"), "{text}");
    let mut sidecar = sidecar;
    let tail = Tail::start(&sidecar, &["--admin-token", "secret"]).await;
    sidecar.signal("TERM");
    assert!(sidecar.ended().await.success(), "a reader does not hold the drain up");
    let (code, text) = tail.ended();
    assert!(code == Some(1) && text.contains("has stopped"), "{text}");
    let gone = larder(&["tail", "--admin-listen", &admin]).output().unwrap();
    let text = String::from_utf8(gone.stderr).unwrap();
    assert!(gone.status.code() == Some(1) && text.contains("no sidecar listens at"), "{text}");
}

#[tokio::test]
async fn failures_are_shown_with_provider_and_code() {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let sidecar = Sidecar::before(nowhere);
    assert_eq!(sidecar.client().embed(&Ask::of(["a"])).await.status, 502);
    let last = requests(&sidecar.admin().get("/api/requests").await.body);
    let first = &last[0];
    assert_eq!((&first["provider"], &first["status"]), (&"openai".into(), &502.into()));
    assert_eq!(first["error"], "upstream_unreachable");
    assert_eq!(first["model"], "text-embedding-3-small");
}
