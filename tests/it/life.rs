//! The process: how it starts, what its commands say, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value;

use crate::handover::ask_until_stopped;
use crate::harness::{
    Ask, Gate, Raw, RedisServer, Scripted, Sidecar, Simulated, answer, config_file, json, larder,
    path, texts,
};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = larder(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn a_terminated_sidecar_finishes_what_is_in_flight() {
    for signal in ["TERM", "INT"] {
        let gate = Gate::closed();
        let provider = Scripted::behind(&gate);
        let mut sidecar = Sidecar::before(provider.address);
        let ask = Ask::of(["in flight"]);
        let mut connection = Raw::connect(sidecar.proxy).await;
        connection.send(Raw::embed(&ask)).await;
        provider.called(1).await;
        sidecar.signal(signal);
        crate::harness::until("it drains", || async { sidecar.log().contains("draining") }).await;
        gate.open();
        ask.check(&connection.answer().await);
        assert_eq!(sidecar.ended().await.code(), Some(0));
    }
}

/// Two requests over one connection, or one if its answer says that it is the last; how many.
pub(crate) async fn ask_twice(proxy: SocketAddr, number: usize) -> usize {
    ask_twice_on(Raw::connect(proxy).await, number).await
}

pub(crate) async fn ask_twice_on(mut connection: Raw, number: usize) -> usize {
    for asked in 1..=2 {
        let ask = Ask::of([format!("handed over {number} {asked}")]);
        connection.send(Raw::embed(&ask)).await;
        let answer = connection.answer().await;
        ask.check(&answer);
        if answer.headers.contains_key("connection") {
            return asked;
        }
    }
    2
}

#[tokio::test]
async fn a_new_process_takes_over_and_no_request_is_lost() {
    let provider = Simulated::instant();
    let socket = path("upgrade.sock");
    let config = format!("[server]\ndrain = \"1s\"\nupgrade_socket = {socket:?}\n");
    let mut old = Sidecar::with(provider.address, &config);
    // Also where the hand-over is over before so many were asked.
    let (asking, stop) = ask_until_stopped(old.proxy, 101);
    let new = old.successor(provider.address, &config);
    assert_eq!((new.proxy, new.admin), (old.proxy, old.admin));
    assert_eq!(old.ended().await.code(), Some(0));
    stop.store(true, Ordering::Relaxed);
    assert!(asking.done().await > 100);
    new.client().right(&Ask::of(["afterwards"])).await;
}

#[tokio::test]
async fn an_idle_sidecar_ends_within_a_second() {
    let provider = Simulated::instant();
    let mut sidecar = Sidecar::before(provider.address);
    let mut idle = Raw::connect(sidecar.proxy).await;
    idle.send(Raw::embed(&Ask::of(["x"]))).await;
    idle.answer().await;
    let told = Instant::now();
    sidecar.signal("TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
    assert_eq!(idle.rest().await, "");
}

#[tokio::test]
async fn a_second_signal_ends_a_drain() {
    let provider = Scripted::start(|_| std::future::pending());
    let mut sidecar = Sidecar::before(provider.address);
    let mut connection = Raw::connect(sidecar.proxy).await;
    connection.send(Raw::embed(&Ask::of(["in flight"]))).await;
    provider.called(1).await;
    sidecar.signal("TERM");
    crate::harness::until("it drains", || async { sidecar.log().contains("draining") }).await;
    let told = Instant::now();
    sidecar.signal("TERM");
    sidecar.ended().await;
    assert!(told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
}

#[test]
fn a_port_in_use_is_a_failure_with_a_message() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for listens in [[&taken, "127.0.0.1:0"], ["127.0.0.1:0", &taken]] {
        let [proxy, admin] = listens;
        let (code, _, said) = run(&["serve", "--listen", proxy, "--admin-listen", admin]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("cannot listen on {taken}")), "{said}");
    }
}

#[test]
fn all_errors_of_a_file_are_told_at_once_with_file_line_and_key() {
    let file = config_file(
        "[server]\nlisen = \"127.0.0.1:1\"\n\n[cache]\nmemory = \"lots\"\n\n\
         [providers.openai]\noversise = \"split\"\n",
    );
    for command in ["serve", "check"] {
        let (code, _, said) = run(&[command, "--config", file.name()]);
        assert_eq!(code, Some(2), "{said}");
        for line in [
            format!("{}:2: server.lisen: unknown key; did you mean `listen`?", file.name()),
            format!("{}:5: cache.memory: expected a size", file.name()),
            format!(
                "{}:8: providers.openai.oversise: unknown key; did you mean `oversize`?",
                file.name()
            ),
        ] {
            assert!(said.contains(&line), "{line}\nnot in\n{said}");
        }
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &["serve", "--no-such-flag"][..],
        &["no-such-command"],
        &["config"],
        &["serve", "--listen", "somewhere"],
        &["serve", "--config", "/nonexistent/larder.toml"],
        &["serve", "--upstream", "ftp://x"],
        &["check", "--dialect", "opanai"],
    ] {
        let (code, _, said) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(!said.is_empty());
    }
}

#[test]
fn a_valid_file_passes_the_check_and_a_flag_stands_above_it() {
    let file = config_file("[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\n");
    let (code, said, _) = run(&["check", "--config", file.name(), "--listen", "127.0.0.1:3"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("127.0.0.1:3") && said.contains("127.0.0.1:2"), "{said}");
    assert!(!said.contains("127.0.0.1:1\"") && said.contains("larder.toml: valid\n"), "{said}");
}

#[tokio::test]
async fn the_probe_tells_whether_a_provider_answers() {
    let provider = Simulated::instant();
    let url = format!("http://{}/v1", provider.address);
    let probe = move || run(&["check", "--probe", "--upstream", &url]);
    let (code, said, wrong) = tokio::task::spawn_blocking(probe).await.unwrap();
    assert_eq!(code, Some(0), "{said}{wrong}");
    assert!(said.contains("8 dimensions, a repeat hits"), "{said}");
}

#[tokio::test]
async fn the_probe_shows_a_key_where_the_provider_looks_for_it() {
    let provider = Scripted::start(|asked| async move {
        let shown = asked.headers.get("api-key").is_some_and(|key| key == "k");
        let known = shown && !asked.headers.contains_key("authorization");
        Some(if known { json(200, &answer(&asked)) } else { json(401, &Value::Null) })
    });
    let url = format!("http://{}", provider.address);
    let probe = move || {
        let mut command = larder(&["check", "--probe", "--upstream", &url, "--dialect", "azure"]);
        command.env("OPENAI_API_KEY", "k").output().unwrap()
    };
    let output = tokio::task::spawn_blocking(probe).await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn the_url_of_the_command_line_is_the_default_providers() {
    let provider = Simulated::instant();
    let config = "[server]\ndefault_provider = \"mine\"\n[providers.mine]\ndialect = \"openai\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    sidecar.client().right(&Ask::of(["mine"])).await;
    assert_eq!(provider.stats().await.embedding_requests, 1);
}

#[test]
fn the_demonstration_ends_when_it_is_told_to() {
    for signal in ["TERM", "INT"] {
        let mut demo =
            larder(&["demo"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines();
        let is_url = |line: &str| line.starts_with("status page  http://127.0.0.1:");
        assert!(lines.any(|line| is_url(&line.unwrap())), "the URL of the status page");
        assert!(lines.any(|line| line.unwrap().contains("Ctrl-C ends it")));
        let pid = demo.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(demo.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn the_probe_tells_whether_the_tiers_are_there() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let (url, directory) = (format!("http://{}/v1", provider.address), path("probed"));
    let (there, nowhere) = (redis.url(), "redis://:canary@127.0.0.1:1".to_owned());
    let probe = move |redis: String| {
        let tiers = ["--cache-dir", directory.to_str().unwrap(), "--redis", &redis];
        let said = run(&[&["check", "--probe", "--upstream", &url][..], &tiers[..]].concat());
        drop(fs::remove_dir_all(&directory));
        said
    };
    let both = move || (probe(there), probe(nowhere));
    let (good, bad) = tokio::task::spawn_blocking(both).await.unwrap();
    assert_eq!(good.0, Some(0), "{good:?}");
    for tier in ["disk", "redis"] {
        let is_row = |line: &str| line.starts_with(tier) && line.contains("answers in ");
        assert!(good.1.lines().any(is_row), "{good:?}");
    }
    assert_eq!(bad.0, Some(1), "{bad:?}");
    assert!(bad.1.contains("failed: connection refused by 127.0.0.1:1"), "{bad:?}");
    assert!(!format!("{bad:?}").contains("canary"), "{bad:?}");
}

#[test]
fn the_commands_that_only_print_do() {
    let (code, defaults, _) = run(&["config", "--defaults"]);
    assert_eq!(code, Some(0));
    let file = config_file(&defaults);
    assert_eq!(run(&["check", "--config", file.name()]).0, Some(0));
    let (code, reference, _) = run(&["config", "--reference"]);
    assert_eq!(code, Some(0));
    assert!(reference.contains("| `batch_gap` |"), "{reference}");
    let (code, bash, _) = run(&["completions", "bash"]);
    assert_eq!(code, Some(0));
    assert!(bash.contains("complete -F _larder"), "{bash}");
    let (code, help, _) = run(&["serve", "--help"]);
    assert_eq!(code, Some(0));
    assert!(help.contains("LARDER_UPSTREAM"), "{help}");
}

#[tokio::test]
async fn the_admin_listener_answers_while_the_provider_does_not() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let admin = sidecar.admin();
    assert_eq!(admin.get("/healthz").await.status, 200);
    assert_eq!(admin.get("/readyz").await.status, 200);
    let metrics = admin.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"), "{metrics:?}");
    assert!(metrics.text().contains("larder_build_info{"), "{metrics:?}");
    assert_eq!(admin.get("/nowhere").await.status, 404);
    assert_eq!(admin.send(Method::POST, "/metrics", &[], "").await.status, 405);
    assert_eq!(provider.stats().await.requests, 0);
}

#[tokio::test]
async fn deleting_the_entries_empties_the_cache() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let (client, admin) = (sidecar.client(), sidecar.admin());
    let ask = Ask::of(texts("gone", 5));
    client.right(&ask).await;
    let refused = admin.send(Method::DELETE, "/api/entries?matches=x", &[], "").await;
    assert_eq!(refused.status, 400, "a filter is never taken for everything");
    client.right(&ask).await;
    assert_eq!(provider.stats().await.embedding_requests, 1);
    let purged = admin.send(Method::DELETE, "/api/entries", &[], "").await;
    let purged: Value = serde_json::from_slice(&purged.body).unwrap();
    assert_eq!(purged["purged"], 5);
    sidecar.until("larder_cache_entries", 0.0).await;
    client.right(&ask).await;
    assert_eq!(provider.stats().await.embedding_requests, 2);
}

#[test]
fn the_environment_stands_between_flag_and_file() {
    let file = config_file("[server]\nlisten = \"127.0.0.1:1\"\n");
    let mut check = larder(&["check", "--config", file.name()]);
    let said = check.env("LARDER_LISTEN", "127.0.0.1:4").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("127.0.0.1:4"), "{said}");
    assert!(fs::exists(file.name()).unwrap());
}
