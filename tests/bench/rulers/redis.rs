//! A Redis on the second core, and what its own bench says of it.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::{pinned, scratch};

/// The bytes of a record: 6,144 of a vector of 1,536 dimensions, and what stands around it.
const RECORD: &str = "6200";

/// A server, killed when it is dropped.
pub struct Redis {
    process: Child,
    port: String,
}

impl Redis {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port().to_string();
        drop(listener);
        let mut command = pinned("1", "redis-server");
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let command = command.current_dir(scratch()).stdout(Stdio::null());
        let process = command.spawn().expect("redis-server is installed");
        let redis = Self { process, port };
        while redis.cli(&["PING"]).trim() != "PONG" {
            sleep(Duration::from_millis(20));
        }
        redis
    }

    /// The section of a configuration that names it.
    pub fn section(&self) -> String {
        format!("[redis]\nurl = \"redis://127.0.0.1:{}\"\n", self.port)
    }

    pub fn cli(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port]).args(command).output();
        String::from_utf8_lossy(&output.expect("redis-cli runs").stdout).into_owned()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "it runs");
    }

    /// GETs (or SETs) per second, by redis-benchmark on the first core.
    pub fn rate(&self, command: &str, connections: u32, requests: u64) -> f64 {
        let mut bench = pinned("0", "redis-benchmark");
        bench.args(["-p", &self.port, "-t", command, "--csv", "-r", "1000"]);
        bench.args(["-d", RECORD, "-c", &connections.to_string()]);
        let output = bench.args(["-n", &requests.to_string()]).output();
        let text =
            String::from_utf8_lossy(&output.expect("redis-benchmark runs").stdout).to_lowercase();
        let line = text.lines().find(|line| line.starts_with(&format!("\"{command}\"")));
        let rate = line.and_then(|line| line.split('"').nth(3)?.parse().ok());
        rate.unwrap_or_else(|| panic!("{text}"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
