//! `larder run`: a command with a sidecar of its own.

mod signals;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::harness::{Scripted, Simulated, config_file, json, larder, path};

/// One request for an embedding, by whatever a variable leads to; the answer's `Cache-Status`.
const ASK: &str = r#"
import http.client, os, sys, urllib.parse
base = urllib.parse.urlsplit(os.environ[sys.argv[1]])
connection = http.client.HTTPConnection(base.netloc, timeout=20)
body = '{"model":"m","input":"%s"}' % sys.argv[2]
head = {"content-type": "application/json", "authorization": "Bearer k"}
connection.request("POST", base.path + "/embeddings", body, head)
answer = connection.getresponse()
answer.read()
print(answer.status, answer.getheader("cache-status"), answer.getheader("x-larder-items"))
"#;

/// `larder run`, with what a shell needs of the environment.
fn run(options: &[&str], command: &[&str]) -> Command {
    let mut run = larder(&[&["run"], options, &["--"], command].concat());
    run.env("PATH", std::env::var_os("PATH").unwrap());
    run
}

/// The exit code of a command, and what it said on both ways.
pub(crate) fn ended(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn sh(options: &[&str], script: &str) -> (Option<i32>, String, String) {
    ended(run(options, &["sh", "-c", script]))
}

#[tokio::test]
async fn the_command_is_led_to_a_sidecar_that_is_ready() {
    let provider = Simulated::instant();
    let upstream = format!("http://{}/v1", provider.address);
    let asked = move || {
        let script =
            "python3 -c \"$ASK\" OPENAI_BASE_URL a; python3 -c \"$ASK\" OPENAI_API_BASE a; exit 7";
        let mut run = run(&["--upstream", &upstream], &["sh", "-c", script]);
        run.env("ASK", ASK);
        ended(run)
    };
    let (code, out, err) = tokio::task::spawn_blocking(asked).await.unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(code, Some(7), "{err}");
    assert_eq!(lines.len(), 2, "{out}{err}");
    assert!(lines[0].starts_with("200 larder; fwd=miss; stored"), "{out}{err}");
    assert!(lines[1].starts_with("200 larder; hit;"), "{out}{err}");
    assert!(err.starts_with("listening proxy=127.0.0.1:"), "{err}");
    assert!(
        err.contains(
            "larder: 2 requests: 1 of 2 inputs from cache (50 %); saved 1 of 2 provider calls"
        ),
        "{err}"
    );
    assert_eq!(provider.stats().await.embedding_requests, 1);
}

#[tokio::test]
async fn the_last_line_says_what_failed() {
    let provider =
        Scripted::start(|_| async { Some(json(401, &serde_json::json!({ "error": {} }))) });
    let upstream = format!("http://{}/v1", provider.address);
    let asked = move || {
        let script = "python3 -c \"$ASK\" OPENAI_BASE_URL a; python3 -c \"$ASK\" OPENAI_BASE_URL b";
        let mut run = run(&["--upstream", &upstream], &["sh", "-c", script]);
        run.env("ASK", ASK);
        ended(run)
    };
    let (code, out, err) = tokio::task::spawn_blocking(asked).await.unwrap();
    assert_eq!((code, out.matches("401").count()), (Some(0), 2), "{out}{err}");
    let line = "larder: 2 requests, all failed: 401 from openai: invalid API key";
    assert!(err.contains(line), "{err}");
}

#[tokio::test]
async fn who_had_a_provider_keeps_it() {
    let provider = Simulated::instant();
    let url = format!("http://{}/v1", provider.address);
    let ask = move || {
        let mut run = run(&[], &["python3", "-c", ASK, "OPENAI_BASE_URL", "a"]);
        run.env("OPENAI_BASE_URL", &url).env("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:1");
        ended(run)
    };
    let (code, out, err) = tokio::task::spawn_blocking(ask).await.unwrap();
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("200 larder; fwd=miss; stored"), "{out}{err}");
    assert_eq!(provider.stats().await.embedding_requests, 1);
}

#[test]
fn variables_are_the_command_s_and_lead_to_loopback() {
    let (code, out, err) = sh(&[], "env");
    assert_eq!(code, Some(0), "{err}");
    let value = |name: &str| out.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    let openai = value("OPENAI_BASE_URL").unwrap();
    let proxy = openai.strip_suffix("/v1").unwrap();
    assert!(proxy.starts_with("http://127.0.0.1:") && !proxy.ends_with(":5273"), "{proxy}");
    for (name, below) in [
        ("OPENAI_API_BASE", "/v1"),
        ("ANTHROPIC_BASE_URL", "/anthropic"),
        ("ANTHROPIC_API_URL", "/anthropic"),
        ("CO_API_URL", "/cohere"),
        ("FIREWORKS_BASE_URL", "/fireworks"),
        ("GOOGLE_GEMINI_BASE_URL", "/gemini"),
        ("GROQ_BASE_URL", "/groq"),
        ("MISTRAL_BASE_URL", "/mistral/v1"),
        ("OLLAMA_BASE_URL", "/ollama/v1"),
        ("OLLAMA_HOST", "/ollama"),
        ("TOGETHER_BASE_URL", "/together"),
    ] {
        assert_eq!(value(name), Some(format!("{proxy}{below}").as_str()), "{name}");
    }
    for name in ["AZURE_OPENAI_ENDPOINT", "GOOGLE_VERTEX_BASE_URL", "NO_PROXY"] {
        assert_eq!(value(name), None, "{name}");
    }
    assert!(err.contains("larder: no request came through"), "{err}");
}

#[test]
fn a_proxy_of_the_machine_is_not_asked_for_loopback() {
    let mut run = run(&[], &["sh", "-c", "echo $NO_PROXY $no_proxy"]);
    run.env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "inside");
    let hosts = "inside,127.0.0.1,localhost";
    assert_eq!(ended(run).1.trim(), format!("{hosts} {hosts}"));
}

#[test]
fn what_is_configured_stays_as_it_is() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = config_file(&format!("[server]\nlisten = \"{free}\"\n"));
    let (code, out, err) = sh(&["--config", file.name()], "echo $OPENAI_BASE_URL");
    assert_eq!((code, out.trim()), (Some(0), format!("http://{free}/v1").as_str()), "{err}");
}

#[test]
fn without_a_sidecar_the_command_is_not_started() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, out, err) = sh(&["--listen", &address], "echo started");
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains(&format!("cannot listen on {address}")), "{err}");
    let (code, out, err) = sh(&["--upstream", "ftp://x"], "echo started");
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    let mut two = run(&[], &["echo", "started"]);
    two.env("OPENAI_BASE_URL", "http://a/v1").env("OPENAI_API_BASE", "http://b/v1");
    let (code, out, err) = ended(two);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("lead to different places"), "{err}");
    let mut wrong = run(&[], &["echo", "started"]);
    wrong.env("OPENAI_BASE_URL", "http://user:canary@host/v1");
    let (code, out, err) = ended(wrong);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.starts_with("error: OPENAI_BASE_URL: ") && !err.contains("canary"), "{err}");
    assert_eq!(ended(larder(&["run"])).0, Some(2));
}

#[test]
fn a_command_that_cannot_start_ends_as_in_a_shell() {
    let (code, _, err) = ended(run(&[], &["no-such-command"]));
    assert_eq!(code, Some(127), "{err}");
    assert!(err.contains("no-such-command: No such file"), "{err}");
    let file = path("not-executable");
    fs::write(&file, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (code, _, err) = ended(run(&[], &[file.to_str().unwrap()]));
    fs::remove_file(&file).unwrap();
    assert_eq!(code, Some(126), "{err}");
}

#[test]
fn the_command_s_end_is_the_end() {
    for (script, expected) in [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill $$", 143)]
    {
        let (code, _, err) = sh(&[], script);
        assert_eq!(code, Some(expected), "{script}: {err}");
    }
}

#[test]
fn what_the_command_leaves_behind_is_not_waited_for() {
    let began = Instant::now();
    let (code, _, err) = sh(&[], "sleep 60 >/dev/null 2>&1 </dev/null & exit 4");
    assert_eq!(code, Some(4), "{err}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
