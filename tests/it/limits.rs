//! Limits of the process: open files and memory.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Ask, Client, Sidecar, Simulated};

#[tokio::test]
async fn health_answers_while_clients_take_every_descriptor() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::limited(provider.address, "-n 96", "");
    let warning = "the limit of open files (96) allows 16 connections of clients";
    assert!(sidecar.log().contains(warning), "{}", sidecar.log());
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(TcpStream::connect(sidecar.proxy).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for path in ["/healthz", "/readyz", "/metrics", "/api/stats"] {
        // Each over a connection of its own.
        let answer = Client::new(sidecar.admin).get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    drop(crowd);
    sidecar.until("larder_downstream_connections", 0.0).await;
    sidecar.client().right(&Ask::of(["after"])).await;
}

#[tokio::test]
async fn a_crowd_at_the_admin_port_leaves_the_descriptors_of_the_proxy() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::limited(provider.address, "-n 96", "");
    let mut crowd = Vec::new();
    for _ in 0..150 {
        crowd.push(TcpStream::connect(sidecar.admin).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    sidecar.client().right(&Ask::of(["served nevertheless"])).await;
    let mut over = TcpStream::connect(sidecar.admin).await.unwrap();
    let mut refusal = String::new();
    let read = over.read_to_string(&mut refusal);
    timeout(Duration::from_secs(5), read).await.expect("the connection is closed").unwrap();
    assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal:?}");
    assert!(refusal.contains("x-larder-error: overloaded"), "{refusal:?}");
    drop(crowd);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answer = Client::new(sidecar.admin).get("/healthz").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn the_soft_limit_of_open_files_is_raised_for_larder_alone() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::limited(provider.address, "-S -n 200", "");
    assert!(sidecar.metric("process_max_fds", "").await > 200.0);
    let mut shell = std::process::Command::new("sh");
    let script = "ulimit -S -n 200; exec \"$0\" run -- sh -c 'ulimit -S -n'";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_larder")]);
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "200\n");
}

#[tokio::test]
async fn a_memory_limit_below_the_bounds_is_a_warning_with_the_keys() {
    const WARNING: &str = "the memory limit (ulimit -v) is 1757MiB";
    let provider = Simulated::instant();
    let tight = Sidecar::limited(provider.address, "-v 1800000", "");
    let log = tight.log();
    assert!(log.contains(WARNING) && log.contains("cache.memory 512MiB"), "{log}");
    assert!(log.contains("server.max_answers 1GiB"), "{log}");
    tight.client().right(&Ask::of(["served nevertheless"])).await;
    let small = "[cache]\nmemory = \"64MiB\"\n[server]\nmax_body = \"4MiB\"\n\
                 max_in_flight = \"64MiB\"\nmax_answers = \"64MiB\"\n\
                 [providers.openai]\nmax_queued = \"64MiB\"\n";
    let roomy = Sidecar::limited(provider.address, "-v 1800000", small);
    assert!(!roomy.log().contains("the memory limit"), "{}", roomy.log());
}
