//! Real Redis servers of this test's own: alone, in a cluster, behind sentinels, over TLS.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{PATIENCE, path, until};

/// A running server, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    arguments: Vec<String>,
    folder: PathBuf,
    process: Option<Child>,
    /// What the command line client needs beside the port.
    pub(crate) client: Vec<String>,
}

pub(crate) fn free_port() -> u16 {
    // Below 55536, since a cluster's nodes also listen 10,000 above their port.
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if port < 55_536 {
            return port;
        }
    }
}

impl RedisServer {
    /// Alone, at its defaults.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With options of its own.
    pub(crate) async fn with(options: &[&str]) -> Self {
        let port = free_port().to_string();
        let listen = ["--port", &port, "--bind", "127.0.0.1"];
        let options: Vec<&str> = listen.into_iter().chain(options.iter().copied()).collect();
        let mut server = Self::down(port.parse().unwrap(), &options);
        server.up().await;
        server
    }

    /// A server that is not started yet.
    pub(crate) fn down(port: u16, options: &[&str]) -> Self {
        let folder = path("redis");
        fs::create_dir_all(&folder).unwrap();
        let arguments = options.iter().map(|option| (*option).to_owned()).collect();
        Self { port, arguments, folder, process: None, client: Vec::new() }
    }

    /// At its defaults, not started yet.
    pub(crate) fn not_yet() -> Self {
        let port = free_port();
        Self::down(port, &["--port", &port.to_string(), "--bind", "127.0.0.1"])
    }

    /// Starts it, and waits until it answers.
    pub(crate) async fn up(&mut self) {
        self.arguments.extend(["--save", "", "--appendonly", "no"].map(str::to_owned));
        self.launch();
        until("redis answers", || async { self.cli(&["PING"]).contains("PONG") }).await;
    }

    fn launch(&mut self) {
        let mut command = Command::new("redis-server");
        command.current_dir(&self.folder).args(&self.arguments);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("redis-server is installed"));
    }

    /// A sentinel that watches a server under the name `main`.
    pub(crate) async fn sentinel_of(&self) -> Self {
        let port = free_port();
        let mut sentinel = Self::down(port, &["sentinel.conf", "--sentinel"]);
        let config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\n",
            self.port
        );
        fs::write(sentinel.folder.join("sentinel.conf"), config).unwrap();
        sentinel.launch();
        let known = || async { sentinel.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]) };
        until("the sentinel knows", || async { known().await.contains("127.0.0.1") }).await;
        sentinel
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What its command line client prints.
    pub(crate) fn cli(&self, command: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(&self.client)
            .args(command)
            .stdin(Stdio::null())
            .output()
            .expect("redis-cli is installed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The names of all entries, without leases and what was purged.
    pub(crate) fn entries(&self) -> Vec<String> {
        let names = self.cli(&["KEYS", "larder:1:{*}"]);
        names.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Waits until it has so many entries.
    pub(crate) async fn has(&self, entries: usize) {
        until(&format!("{entries} entries in redis"), || async { self.entries().len() >= entries })
            .await;
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Three servers that are one cluster.
pub(crate) async fn cluster() -> Vec<RedisServer> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let more = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        nodes.push(RedisServer::with(&more).await);
    }
    let addresses: Vec<String> =
        nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let started = Instant::now();
    loop {
        let mut create = vec!["--cluster", "create"];
        create.extend(addresses.iter().map(String::as_str));
        create.extend(["--cluster-replicas", "0", "--cluster-yes"]);
        if nodes[0].cli(&create).contains("All 16384 slots covered") {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "the cluster did not form");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for node in &nodes {
        let state = || async { node.cli(&["CLUSTER", "INFO"]) };
        until("the cluster stands", || async { state().await.contains("cluster_state:ok") }).await;
    }
    nodes
}
