//! What the benches have in common: servers on a core of their own, a client, medians.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::allow_attributes,
    reason = "each bench uses a part of it, and what goes wrong in a bench may well end it"
)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use larder::config::Config;
use larder::dialect;
use larder::metrics::Metrics;
use larder::upstream::{Call, Upstream};

/// Asks for embeddings, over connections that are kept.
pub struct Client(Upstream);

impl Client {
    /// A client of a base URL.
    pub fn of(base_url: &str) -> Self {
        let file = format!("[providers.openai]\nbase_url = \"{base_url}\"\n");
        let config = Config::read("bench", &file, &[]).expect("valid");
        let metrics = Metrics::new().expect("fresh").upstream("bench");
        let dialect = dialect::named("openai").expect("known");
        let provider = config.providers["openai"].clone();
        Self(Upstream::new("bench", dialect, provider, metrics).expect("valid"))
    }

    /// The body of a good answer.
    pub async fn ask(&self, body: String) -> Bytes {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer bench"));
        let path_and_query = "/embeddings".to_owned();
        let permit = self.0.permit().await.expect("a permit");
        let call = Call { path_and_query, headers, body: Bytes::from(body) };
        let answer = self.0.call(permit, call).await.expect("an answer");
        assert!(answer.status.is_success(), "{answer:?}");
        answer.body
    }
}

/// A server on the first core, stopped when it is dropped.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: String,
    method: &'static str,
}

impl Server {
    pub fn larder(upstream: &str) -> Self {
        let config = scratch().join("larder.toml");
        fs::write(&config, "[server]\nthreads = 1\n").expect("a file");
        let mut command = pinned(0, env!("CARGO_BIN_EXE_larder"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.arg("--upstream").arg(upstream).arg("--config").arg(config);
        Self::start(command, "proxy=")
    }

    pub fn bare(size: usize) -> Self {
        let own = env::current_exe().expect("a path");
        let mut command = pinned(0, own.to_str().expect("a path"));
        command.arg("--bare").arg(size.to_string());
        Self::start(command, "bare=")
    }

    fn start(mut command: Command, before_address: &str) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let stderr = process.stderr.take().expect("it is piped");
        BufReader::new(stderr).read_line(&mut line).expect("a line");
        let (_, rest) = line.split_once(before_address).expect("its address");
        let address = rest.split_whitespace().next().expect("its address").to_owned();
        Self { process, address, method: "POST" }
    }

    pub fn nginx(size: usize) -> Option<Self> {
        let folder = scratch();
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        fs::write(folder.join("answer.json"), vec![b'x'; size]).ok()?;
        let mut config = String::new();
        writeln!(
            config,
            "daemon off; pid {0}/nginx.pid; error_log stderr crit; worker_processes 1;
            events {{ worker_connections 1024; }}
            http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nodelay on;
            server {{ listen 127.0.0.1:{port}; root {0}; }} }}",
            folder.display()
        )
        .ok()?;
        let file = folder.join("nginx.conf");
        fs::write(&file, config).ok()?;
        Command::new("nginx").arg("-v").stderr(Stdio::null()).status().ok()?;
        let mut command = pinned(0, "nginx");
        let process = command.arg("-c").arg(file).arg("-p").arg(&folder).spawn().ok()?;
        sleep(Duration::from_millis(300));
        Some(Self { process, address: format!("127.0.0.1:{port}"), method: "GET" })
    }

    /// Requests per second, by wrk on the second core.
    pub fn rate(&self, connections: u32, seconds: u64, texts: usize) -> f64 {
        let mut command = pinned(1, "wrk");
        command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s")]);
        if self.method == "GET" {
            command.arg(format!("http://{}/answer.json", self.address));
        } else {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/post.lua");
            command.args(["-s", script, &format!("http://{}", self.address), "--"]);
            command.arg(texts.to_string());
        }
        let output = command.output().expect("wrk runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!text.contains("Non-2xx"), "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
        line.and_then(|rate| rate.trim().parse().ok()).unwrap_or_else(|| panic!("{text}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx's worker ends with its master only if the master is asked to end.
        let asked = Command::new("kill").arg(self.process.id().to_string()).status();
        if asked.is_ok() && self.process.wait().is_ok() {
            return;
        }
        drop(self.process.kill());
    }
}

fn pinned(core: u32, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

fn scratch() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

pub fn variable(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * q).round() as usize]
}
