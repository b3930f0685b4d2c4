//! The forms that a shared tier comes in: a cluster, behind sentinels, over TLS, with a password.

use std::fs;
use std::process::Command;

use super::{ready, ready_replica, replica};
use crate::harness::{Ask, RedisServer, Sidecar, Simulated, cluster, path, texts, until};

/// Stores through one replica and finds through another.
async fn shares(one: &Sidecar, other: &Sidecar, name: &str) {
    let ask = Ask::of(texts(name, 40));
    one.client().right(&ask).await;
    until("the other has it", || async {
        let asked = ask.clone().header("cache-control", "only-if-cached");
        other.client().embed(&asked).await.status == 200
    })
    .await;
    let answer = other.client().right(&ask).await;
    assert!(answer.header("cache-status").contains("hit"), "{:?}", answer.headers);
    let hits = "result=\"hit\",tier=\"redis\"";
    let found = other.metric("larder_cache_lookups_total", hits).await;
    assert!(found >= 40.0, "{found}");
}

#[tokio::test]
async fn a_cluster_is_shared() {
    let (nodes, provider) = (cluster().await, Simulated::instant());
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", nodes[0].port, nodes[1].port);
    let one = ready_replica(provider.address, &url).await;
    let other = ready_replica(provider.address, &url).await;
    shares(&one, &other, "cluster").await;
    let spread = nodes.iter().filter(|node| !node.entries().is_empty()).count();
    assert_eq!(spread, 3);
    let purged = one.admin().send(http::Method::DELETE, "/api/entries", &[], "").await;
    assert_eq!(purged.status, 200);
    until("the purge reaches the other", || async {
        let ask = Ask::of(texts("cluster", 1)).header("cache-control", "only-if-cached");
        other.client().embed(&ask).await.status == 504
    })
    .await;
}

#[tokio::test]
async fn a_master_behind_a_sentinel_is_shared() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let sentinel = redis.sentinel_of().await;
    let url = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port);
    let one = ready_replica(provider.address, &url).await;
    let other = ready_replica(provider.address, &url).await;
    shares(&one, &other, "sentinel").await;
}

#[tokio::test]
async fn a_user_with_a_password_and_few_rights_is_enough() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let rights = ["ACL", "SETUSER", "larder", "on", ">canary-password", "~larder:*", "-@all"];
    let commands = ["+get", "+mget", "+set", "+del", "+eval", "+pexpire", "+hget", "+hset"];
    let more = ["+hgetall", "+time", "+type", "+client", "+hello", "+auth"];
    let acl = [&rights[..], &commands[..], &more[..]].concat();
    assert_eq!(redis.cli(&acl), "OK");
    assert_eq!(redis.cli(&["ACL", "SETUSER", "default", "off"]), "OK");
    let url = format!("redis://larder:canary-password@127.0.0.1:{}", redis.port);
    let one = ready_replica(provider.address, &url).await;
    let other = ready_replica(provider.address, &url).await;
    shares(&one, &other, "password").await;
    assert!(!one.log().contains("canary-password"));
    // A wrong password is a miss and a line in the log.
    let url = format!("redis://larder:canary-wrong@127.0.0.1:{}", redis.port);
    let apart = replica(provider.address, &url, "");
    until("it says so", || async { apart.log().contains("redis tier down: cannot connect") }).await;
    let reason = format!("127.0.0.1:{} refuses the user or the password", redis.port);
    assert!(apart.log().contains(&reason), "{}", apart.log());
    apart.client().right(&Ask::of(["apart"])).await;
    assert!(!apart.log().contains("canary-wrong"));
}

#[tokio::test]
async fn a_server_over_tls_is_shared_and_verified() {
    let folder = path("tls");
    fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (file("key.pem"), file("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = crate::harness::free_port();
    let tls_port = port.to_string();
    let mut redis = RedisServer::down(
        port,
        &[
            "--port",
            "0",
            "--tls-port",
            &tls_port,
            "--bind",
            "127.0.0.1",
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            "no",
        ],
    );
    redis.client = vec!["--tls".to_owned(), "--cacert".to_owned(), certificate.clone()];
    redis.up().await;
    let provider = Simulated::instant();
    let url = format!("rediss://127.0.0.1:{port}");
    let trusting = format!("ca_file = {certificate:?}\n");
    let one = replica(provider.address, &url, &trusting);
    let other = replica(provider.address, &url, &trusting);
    ready(&one).await;
    ready(&other).await;
    shares(&one, &other, "tls").await;
    // Nobody else is talked to.
    let doubting = replica(provider.address, &url, "");
    until("it says so", || async { doubting.log().contains("redis tier down: cannot connect") })
        .await;
    doubting.client().right(&Ask::of(["doubt"])).await;
    drop(fs::remove_dir_all(folder));
}
