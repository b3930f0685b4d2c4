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

pub mod redis;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use larder::config::Config;
use larder::dialect;
use larder::key::Digest;
use larder::upstream::{Around, Call, Ticket, Upstream};

/// Asks for embeddings, over connections that are kept.
pub struct Client(Upstream);

impl Client {
    /// A client of a base URL.
    pub fn of(base_url: &str) -> Self {
        let file = format!("[providers.openai]\nbase_url = \"{base_url}\"\n");
        let config = Config::read("bench", &file, &[]).expect("valid");
        let dialect = dialect::named("openai").expect("known");
        let provider = config.providers["openai"].clone();
        let around = Around::nobody("bench").expect("fresh");
        Self(Upstream::new("bench", dialect, provider, around).expect("valid"))
    }

    /// The body of a good answer.
    pub async fn ask(&self, body: String) -> Bytes {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer bench"));
        let path_and_query = "/embeddings".to_owned();
        let (method, body) = (Method::POST, Bytes::from(body));
        let call = Call { method, path_and_query, headers, body, cause: None };
        let ticket = Ticket::patient(Digest::of(b"bench"));
        let answer = self.0.call_in_turn(&ticket, call).await.expect("an answer");
        assert!(answer.status.is_success(), "{answer:?}");
        answer.body
    }
}

/// A server on the first core, stopped when it is dropped.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: String,
    admin: String,
    method: &'static str,
}

impl Server {
    pub fn larder(upstream: &str) -> Self {
        Self::larder_with(upstream, "")
    }

    /// With more settings of its provider.
    pub fn larder_with(upstream: &str, provider: &str) -> Self {
        Self::larder_of(upstream, &format!("[providers.openai]\n{provider}\n"))
    }

    /// With more sections in its configuration.
    pub fn larder_of(upstream: &str, sections: &str) -> Self {
        Self::larder_on((&["0"], upstream), sections)
    }

    /// Another build, named by `LARDER_BENCH_BESIDE`: the one before a change, or of another profile.
    pub fn larder_beside(upstream: &str, sections: &str) -> Option<Self> {
        let binary = env::var("LARDER_BENCH_BESIDE").ok()?;
        Some(Self::larder_at(&binary, (&["0"], upstream), sections))
    }

    /// On these cores, with a thread for each.
    pub fn larder_on(placed: (&[&str], &str), sections: &str) -> Self {
        Self::larder_at(env!("CARGO_BIN_EXE_larder"), placed, sections)
    }

    fn larder_at(binary: &str, (cores, upstream): (&[&str], &str), sections: &str) -> Self {
        let config = scratch().join("larder.toml");
        let threads = cores.len();
        fs::write(&config, format!("[server]\nthreads = {threads}\n{sections}")).expect("a file");
        let mut command = pinned(&cores.join(","), binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.arg("--upstream").arg(upstream).arg("--config").arg(config);
        Self::start(command, "proxy=")
    }

    pub fn bare(size: usize) -> Self {
        let own = env::current_exe().expect("a path");
        let mut command = pinned("0", own.to_str().expect("a path"));
        command.arg("--bare").arg(size.to_string());
        Self::start(command, "bare=")
    }

    fn start(mut command: Command, before_address: &str) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let said = lines.by_ref().map_while(Result::ok).find(|line| line.contains(before_address));
        let said = said.expect("its address");
        let after = |name| {
            let word = said.split_once(name).and_then(|(_, rest)| rest.split_whitespace().next());
            word.unwrap_or_default().to_owned()
        };
        let (address, admin) = (after(before_address), after("admin="));
        // What it says later is read, so that it can go on.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { process, address, admin, method: "POST" }
    }

    /// The sum of all series of a metric whose labels contain this.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let mut stream = TcpStream::connect(&self.admin).expect("its admin listener");
        let ask = "GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes()).expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let ours = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(labels);
        text.lines()
            .filter(ours)
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Waits until a metric has reached a value.
    pub fn until(&self, name: &str, labels: &str, value: f64) {
        for _ in 0..1_000 {
            if self.metric(name, labels) >= value {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("{name} with {labels} never came to {value}");
    }

    /// Ends it without notice.
    pub fn kill(mut self) {
        self.process.kill().expect("it runs");
    }

    /// nginx with a static file.
    pub fn nginx(size: usize) -> Option<Self> {
        let folder = scratch();
        fs::write(folder.join("answer.json"), vec![b'x'; size]).ok()?;
        let location = format!("root {};", folder.display());
        Self::start_nginx("", &location)
    }

    /// nginx before a provider, keeping answers by what was asked.
    pub fn nginx_cache(upstream: &str) -> Option<Self> {
        let folder = scratch().join("nginx-cache");
        // Another run's answers may be of another size.
        drop(fs::remove_dir_all(&folder));
        let http = format!(
            "upstream provider {{ server {upstream}; keepalive 64; }}
            proxy_cache_path {} keys_zone=answers:64m max_size=1g;",
            folder.display()
        );
        let location = "client_body_buffer_size 64k; client_body_in_single_buffer on;
            location / { proxy_pass http://provider; proxy_http_version 1.1;
            proxy_set_header Connection ''; proxy_cache answers; proxy_cache_methods POST;
            proxy_cache_key $request_uri$http_authorization$request_body; proxy_cache_valid 200 1h;
            proxy_ignore_headers Cache-Control Expires Set-Cookie; }";
        let mut nginx = Self::start_nginx(&http, location)?;
        nginx.method = "POST";
        Some(nginx)
    }

    /// nginx before a provider, passing on what comes as it comes.
    pub fn nginx_proxy(upstream: &str) -> Option<Self> {
        let upstream = format!("upstream provider {{ server {upstream}; keepalive 2000; }}");
        let location = "location / { proxy_pass http://provider; proxy_http_version 1.1; \
            proxy_set_header Connection ''; proxy_buffering off; }";
        Self::start_nginx(&upstream, location)
    }

    /// The same with `proxy_pass` and nothing else, which is a connection for each call.
    pub fn nginx_plain(upstream: &str) -> Option<Self> {
        Self::start_nginx("", &format!("location / {{ proxy_pass http://{upstream}; }}"))
    }

    fn start_nginx(http: &str, server: &str) -> Option<Self> {
        let folder = scratch();
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let mut config = String::new();
        writeln!(
            config,
            "daemon off; pid {0}/nginx.pid; error_log stderr crit; worker_processes 1;
            worker_rlimit_nofile 16384; events {{ worker_connections 8192; }}
            http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nodelay on;
            {http} server {{ listen 127.0.0.1:{port}; {server} }} }}",
            folder.display()
        )
        .ok()?;
        let file = folder.join("nginx.conf");
        fs::write(&file, config).ok()?;
        Command::new("nginx").arg("-v").stderr(Stdio::null()).status().ok()?;
        let mut command = pinned("0", "nginx");
        let process = command.arg("-c").arg(file).arg("-p").arg(&folder).spawn().ok()?;
        sleep(Duration::from_millis(300));
        Some(Self {
            process,
            address: format!("127.0.0.1:{port}"),
            admin: String::new(),
            method: "GET",
        })
    }

    /// CPU time of the process and its children so far.
    pub fn cpu(&self) -> Duration {
        // Fields 14 and 15 of stat(5), in ticks of 10 ms; counted after the name's bracket.
        let ticks = |pid: u32| -> u64 {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split(' ').collect();
            fields.iter().skip(12).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
        };
        Duration::from_millis(10 * self.processes().into_iter().map(ticks).sum::<u64>())
    }

    /// Resident memory of the process and its children, in KiB.
    pub fn memory(&self) -> f64 {
        let resident = |pid: u32| -> f64 {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
        };
        self.processes().into_iter().map(resident).sum()
    }

    fn processes(&self) -> Vec<u32> {
        let own = self.process.id();
        let children = format!("/proc/{own}/task/{own}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        let mut all = vec![own];
        all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        all
    }

    /// Asks for so long over so many connections, by wrk on the second core.
    pub fn load(&self, connections_and_seconds: (u32, u64), asked: &Asked) -> Load {
        self.load_from("1", connections_and_seconds, asked)
    }

    /// The same from other cores.
    pub fn load_from(
        &self,
        cores: &str,
        (connections, seconds): (u32, u64),
        asked: &Asked,
    ) -> Load {
        let mut command = pinned(cores, "wrk");
        command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--latency"]);
        if self.method == "GET" {
            command.arg(format!("http://{}/answer.json", self.address));
        } else {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/post.lua");
            command.args(["-s", script, &format!("http://{}", self.address), "--"]);
            command.args([&asked.texts.to_string(), asked.encoding, &asked.inputs.to_string()]);
        }
        let cpu = self.cpu();
        let output = command.output().expect("wrk runs");
        let cpu = self.cpu().saturating_sub(cpu);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!text.contains("Non-2xx"), "{text}");
        Load::read(&text, cpu).unwrap_or_else(|| panic!("{text}"))
    }
}

/// What is asked for: so many texts in turn, so many in a request.
#[derive(Clone, Copy)]
pub struct Asked {
    pub texts: usize,
    pub inputs: usize,
    pub encoding: &'static str,
}

/// What came of it.
#[derive(Clone, Copy)]
pub struct Load {
    /// Requests a second.
    pub rate: f64,
    /// In microseconds.
    pub p50: f64,
    /// In microseconds.
    pub p99: f64,
    /// Microseconds of the server's CPU for a request.
    pub cpu: f64,
}

impl Load {
    fn read(text: &str, cpu: Duration) -> Option<Self> {
        let after = |name: &str| {
            text.lines().find_map(|line| line.trim_start().strip_prefix(name)).map(str::trim)
        };
        let micros = |name| {
            let value = after(name)?;
            let digits = value.find(|c: char| c.is_ascii_alphabetic())?;
            let factor = match value.get(digits..)? {
                "us" => 1.0,
                "ms" => 1e3,
                _ => 1e6,
            };
            Some(value.get(..digits)?.parse::<f64>().ok()? * factor)
        };
        let requests = text.lines().find_map(|line| line.split_once(" requests in"))?;
        let requests: f64 = requests.0.trim().parse().ok()?;
        Some(Self {
            rate: after("Requests/sec:")?.parse().ok()?,
            p50: micros("50%")?,
            p99: micros("99%")?,
            cpu: cpu.as_secs_f64() * 1e6 / requests,
        })
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

/// Keeps this process, and what it starts from now on, on one core.
pub fn stay_on(core: u32) {
    let own = std::process::id().to_string();
    let moved = Command::new("taskset").args(["-pc", &core.to_string(), &own]).output();
    assert!(moved.is_ok_and(|moved| moved.status.success()), "taskset is needed");
}

fn pinned(cores: &str, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores, program]);
    command
}

/// Asks for what wrk will ask for; gives the size of an answer.
pub async fn warm(address: &str, asked: &Asked) -> usize {
    let client = Client::of(&format!("http://{address}/v1"));
    let mut size = 0;
    for first in (0..asked.texts).step_by(asked.inputs) {
        let texts: Vec<String> = (first..first + asked.inputs).map(text).collect();
        let input =
            if asked.inputs == 1 { texts.concat() } else { format!("[{}]", texts.join(",")) };
        let encoding = asked.encoding;
        let body = format!(
            r#"{{"model":"text-embedding-3-small","input":{input},"encoding_format":"{encoding}"}}"#
        );
        size = client.ask(body).await.len();
    }
    size
}

/// One of the texts that wrk asks for, about 500 bytes, as JSON.
fn text(n: usize) -> String {
    format!("\"text {n} {}\"", "lorem ipsum dolor sit amet ".repeat(19))
}

pub fn scratch() -> PathBuf {
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
