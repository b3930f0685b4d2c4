//! What a hit costs, against two rulers: `cargo bench --bench hit`.
//!
//! 1,000 warmed texts of 1,536 dimensions are asked for as base64 over 64 connections (and over 1),
//! by wrk on one core, from larder on the other. The rulers, on larder's core and in the same
//! rounds: a bare hyper server that answers a constant of the same size, and nginx with a static
//! file of that size. What counts are the ratios within a round; the medians over the rounds are
//! printed. Needs `wrk` and `taskset`; without `nginx` that ruler is left out.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a bench prints a table, and what goes wrong in it may well end it"
)]

use std::convert::Infallible;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use larder::config::Config;
use larder::metrics::Metrics;
use larder::simulate::{self, Settings};
use larder::upstream::{Call, Upstream};
use tokio::net::TcpListener;
use tokio::runtime;

const TEXTS: usize = 1_000;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    match arguments.iter().position(|argument| argument == "--bare") {
        Some(at) => bare(arguments.get(at + 1).and_then(|size| size.parse().ok()).unwrap_or(0)),
        None => compare(),
    }
}

/// The ceiling: hyper, which reads the body and answers a constant.
fn bare(size: usize) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        eprintln!("listening bare={}", listener.local_addr().expect("an address"));
        let body = Bytes::from(vec![b'x'; size]);
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket option");
            let body = body.clone();
            runtime::Handle::current().spawn(async move {
                let mut builder = Builder::new(TokioExecutor::new());
                builder.http1().timer(TokioTimer::new());
                let service = service_fn(|request| answer(request, body.clone()));
                // A connection that wrk gives up at its end is no failure.
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
}

async fn answer(
    request: Request<Incoming>,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(request.into_body().collect().await);
    let mut response = Response::new(Full::new(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

fn compare() {
    let rounds = variable("LARDER_BENCH_ROUNDS", 7);
    let seconds = variable("LARDER_BENCH_SECONDS", 3);
    let runtime = runtime::Runtime::new().expect("a runtime");
    let provider = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let provider_address = provider.local_addr().expect("an address");
    runtime.spawn(simulate::serve(provider, Settings::instant(), std::future::pending()));
    let larder = Server::larder(&format!("http://{provider_address}/v1"));
    let size = runtime.block_on(warm(&larder.address));
    let bare = Server::bare(size);
    let mut targets = vec![("bare hyper", bare), ("larder", larder)];
    targets.extend(Server::nginx(size).map(|nginx| ("nginx, static file", nginx)));
    println!(
        "answers of {size} bytes; {rounds} rounds of {seconds} s, interleaved; load {}",
        load()
    );
    for connections in [64, 1] {
        let mut rates = vec![Vec::new(); targets.len()];
        for _ in 0..rounds {
            for ((_, target), rates) in targets.iter().zip(&mut rates) {
                rates.push(target.rate(connections, seconds));
            }
        }
        println!("\n{connections} connections          requests/s   ratio to bare hyper (min–max)");
        for ((name, _), own) in targets.iter().zip(&rates) {
            let ratios: Vec<f64> = own.iter().zip(&rates[0]).map(|(a, b)| a / b).collect();
            let (low, high) = (quantile(&ratios, 0.0), quantile(&ratios, 1.0));
            let (rate, ratio) = (quantile(own, 0.5), quantile(&ratios, 0.5));
            println!("{name:<24} {rate:>10.0}   {ratio:.2} ({low:.2}–{high:.2})");
        }
    }
}

fn variable(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * q).round() as usize]
}

/// Puts every text into the cache; gives the size of an answer.
async fn warm(address: &str) -> usize {
    let file = format!("[providers.openai]\nbase_url = \"http://{address}/v1\"\n");
    let provider = Config::read("bench", &file, &[]).expect("valid").providers["openai"].clone();
    let metrics = Metrics::new().expect("fresh").upstream("bench");
    let dialect = larder::dialect::named("openai").expect("known");
    let client = Upstream::new("bench", dialect, provider, metrics).expect("valid");
    let mut size = 0;
    for n in 0..TEXTS {
        let text = format!("text {n} {}", "lorem ipsum dolor sit amet ".repeat(19));
        let body = format!(
            r#"{{"model":"text-embedding-3-small","input":"{text}","encoding_format":"base64"}}"#
        );
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer bench"));
        let path_and_query = "/embeddings".to_owned();
        let permit = client.permit().await.expect("a permit");
        let call = Call { path_and_query, headers, body: Bytes::from(body) };
        let answer = client.call(permit, call).await.expect("an answer");
        assert!(answer.status.is_success(), "{answer:?}");
        size = answer.body.len();
    }
    size
}

/// A server on the first core, stopped when it is dropped.
struct Server {
    process: Child,
    address: String,
    method: &'static str,
}

impl Server {
    fn larder(upstream: &str) -> Self {
        let config = scratch().join("larder.toml");
        fs::write(&config, "[server]\nthreads = 1\n").expect("a file");
        let mut command = pinned(0, env!("CARGO_BIN_EXE_larder"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.arg("--upstream").arg(upstream).arg("--config").arg(config);
        Self::start(command, "proxy=")
    }

    fn bare(size: usize) -> Self {
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

    fn nginx(size: usize) -> Option<Self> {
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
    fn rate(&self, connections: u32, seconds: u64) -> f64 {
        let mut command = pinned(1, "wrk");
        command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s")]);
        if self.method == "GET" {
            command.arg(format!("http://{}/answer.json", self.address));
        } else {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/post.lua");
            command.args(["-s", script, &format!("http://{}", self.address), "--"]);
            command.arg(TEXTS.to_string());
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
