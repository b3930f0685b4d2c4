//! Trouble with a Redis: its reason, in the server's words and with the host, wherever an operator looks.

use std::net::TcpListener;

use serde_json::Value;

use super::replica;
use crate::harness::{Ask, Authority, RedisServer, Sidecar, Simulated, free_port, larder, until};

/// The row of the tier in `/api/stats`.
async fn row(sidecar: &Sidecar) -> Value {
    let stats = sidecar.admin().get("/api/stats?since=9e99").await.text();
    let stats: Value = serde_json::from_str(&stats).unwrap();
    let tiers = stats["tiers"].as_array().unwrap();
    tiers.iter().find(|tier| tier["tier"] == "redis").unwrap().clone()
}

/// A sidecar whose Redis cannot be used, for this reason and with this kind.
async fn down(url: &str, more: &str, (kind, words): (&str, &[&str])) {
    let provider = Simulated::instant();
    let sidecar = replica(provider.address, url, more);
    until("the log has the reason", || async { sidecar.log().contains("redis tier down") }).await;
    let log = sidecar.log();
    let host = url.rsplit('@').next().unwrap().rsplit('/').next().unwrap();
    for word in words.iter().chain([&host]) {
        assert!(log.contains(word), "{url}: no {word:?} in {log}");
    }
    assert!(!log.contains("Canary"), "{log}");
    let labels = format!("kind=\"{kind}\",tier=\"redis\"");
    let counted = || async { sidecar.metric("larder_cache_errors_total", &labels).await > 0.5 };
    until(&format!("{labels} of {url} is counted"), counted).await;
    let row = row(&sidecar).await;
    let reason = row["reason"].as_str().unwrap();
    assert!(words.iter().all(|word| reason.contains(word)), "{row}");
    assert!(row["since"].as_f64().unwrap() > 1e9, "{row}");
    sidecar.client().right(&Ask::of(["served without it"])).await;

    let settings = format!("[redis]\nurl = {url:?}\n{more}");
    let file = crate::harness::config_file(&settings);
    let upstream = format!("http://{}/v1", provider.address);
    let probe = ["check", "--probe", "--config", file.name(), "--upstream", &upstream];
    let mut probe = larder(&probe);
    let probed = tokio::task::spawn_blocking(move || probe.output().unwrap()).await.unwrap();
    let table = String::from_utf8(probed.stdout).unwrap();
    assert!(words.iter().all(|word| table.contains(word)), "{table}");
    assert!(!table.contains("Canary"), "{table}");
}

#[tokio::test]
async fn a_refused_connection_and_a_wrong_password_were_both_io_without_a_host() {
    let port = free_port();
    let refused = ("connection_refused", &["connection refused by"][..]);
    down(&format!("redis://127.0.0.1:{port}"), "", refused).await;
    let redis = RedisServer::start().await;
    let port = redis.port;
    let any =
        ("auth", &["refuses the user or the password", "without any password configured"][..]);
    down(&format!("redis://:CanaryWord@127.0.0.1:{port}"), "", any).await;
    assert_eq!(redis.cli(&["CONFIG", "SET", "requirepass", "right"]), "OK");
    let wrong = ("auth", &["WRONGPASS"][..]);
    down(&format!("redis://:CanaryWord@127.0.0.1:{port}"), "", wrong).await;
    let none = ("auth", &["needs a password", "NOAUTH"][..]);
    down(&format!("redis://127.0.0.1:{port}"), "", none).await;
}

#[tokio::test]
async fn a_server_that_is_silent_or_speaks_no_tls_is_called_so() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    down(&url, "", ("timeout", &["no response from"])).await;
    let redis = RedisServer::start().await;
    let plain = ("timeout", &["if it does not speak TLS, set redis.url to redis://"][..]);
    down(&format!("rediss://127.0.0.1:{}", redis.port), "", plain).await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_accepted_says_how_to_make_one() {
    let authority = Authority::new();
    let own = authority.own("own", "IP:127.0.0.1");
    let port = free_port();
    let tls_port = port.to_string();
    let options = [
        "--port",
        "0",
        "--tls-port",
        &tls_port,
        "--bind",
        "127.0.0.1",
        "--tls-cert-file",
        &own.cert,
        "--tls-key-file",
        &own.key,
        "--tls-auth-clients",
        "no",
    ];
    let mut redis = RedisServer::down(port, &options);
    redis.client = ["--tls", "--cacert", &own.cert].map(str::to_owned).to_vec();
    redis.up().await;
    let url = format!("rediss://127.0.0.1:{port}");
    let file = format!("ca_file = {:?}\n", own.cert);
    down(&url, &file, ("tls", &["openssl req -x509", "CA:FALSE", "redis.ca_file"])).await;
    down(&url, "", ("tls", &["set redis.ca_file"])).await;
    let clear = format!("redis://127.0.0.1:{port}");
    down(&clear, "", ("io", &["set redis.url to rediss://"])).await;
}

#[tokio::test]
async fn a_replica_and_a_full_server_say_so_for_each_write() {
    for (options, kind, words) in [
        (&["--replicaof", "127.0.0.1", "1"][..], "readonly", "READONLY"),
        (&["--maxmemory", "1", "--maxmemory-policy", "noeviction"], "oom", "OOM"),
    ] {
        let (redis, provider) = (RedisServer::with(options).await, Simulated::instant());
        let sidecar = super::ready_replica(provider.address, &redis.url()).await;
        sidecar.client().right(&Ask::of(["a write"])).await;
        until("the log has the reason", || async { sidecar.log().contains(words) }).await;
        let log = sidecar.log();
        assert!(log.contains(&format!("127.0.0.1:{}", redis.port)), "{log}");
        let labels = format!("kind=\"{kind}\",tier=\"redis\"");
        assert!(sidecar.metric("larder_cache_errors_total", &labels).await > 0.5, "{log}");
    }
}
