//! The built binary as a running sidecar.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{env, fs, process, thread};

use command_fds::{CommandFdExt, FdMapping};

use super::{Client, PATIENCE, until};

/// A running sidecar, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Sidecar {
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    config: Config,
}

/// A configuration file that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Config(PathBuf);

impl Drop for Config {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// The binary, without anything of this process's environment.
pub(crate) fn larder(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// The binary with sockets from descriptor 3 on, which are its own by the number of its process.
pub(crate) fn larder_with(sockets: Vec<OwnedFd>, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new("sh");
    let script = "export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_larder")]).env_clear().stdin(Stdio::null());
    command.env("LISTEN_FDS", sockets.len().to_string()).envs(environment.iter().copied());
    let mapped = |(parent_fd, child_fd)| FdMapping { parent_fd, child_fd };
    command.fd_mappings(sockets.into_iter().zip(3..).map(mapped).collect()).unwrap();
    command
}

impl Config {
    pub(crate) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

/// A configuration file.
pub(crate) fn config_file(text: &str) -> Config {
    let file = path("larder.toml");
    fs::write(&file, text).unwrap();
    Config(file)
}

/// Writes a file that only its owner can read.
pub(crate) fn private(file: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    fs::write(&file, content).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The addresses in the line that says what is listened on, in text or in JSON.
fn addresses(line: &str) -> Option<String> {
    if let Some(addresses) = line.strip_prefix("listening proxy=") {
        return Some(addresses.to_owned());
    }
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let address = |name: &str| line.get(name).and_then(|address| address.as_str());
    (line.get("message")? == "listening")
        .then(|| Some(format!("{} admin={}", address("proxy")?, address("admin")?)))
        .flatten()
}

/// What `larder check` says of a configuration that is not valid, without the file's name.
pub(crate) fn complaints(text: &str) -> Vec<String> {
    let file = config_file(text);
    let output = larder(&["check", "--config", file.name()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let error = |line: &str| line.strip_prefix("error: ").unwrap().replace(file.name(), "");
    said.lines().map(error).collect()
}

/// A path for a file that no other test has.
pub(crate) fn path(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}-{name}", process::id()))
}

impl Sidecar {
    /// Before a provider, at the defaults.
    pub(crate) fn before(upstream: SocketAddr) -> Self {
        Self::with(upstream, "")
    }

    /// Before a provider, with a configuration file.
    pub(crate) fn with(upstream: SocketAddr, config: &str) -> Self {
        Self::within(upstream, config, &[])
    }

    /// The same with an environment.
    pub(crate) fn within(upstream: SocketAddr, config: &str, environment: &[(&str, &str)]) -> Self {
        let arguments = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        Self::start((&arguments, environment), upstream, config)
    }

    /// Started as systemd starts it, with sockets that are called by these names.
    pub(crate) fn activated(
        sockets: (Vec<OwnedFd>, &str),
        upstream: SocketAddr,
        config: &str,
    ) -> Self {
        Self::activated_within(sockets, upstream, (config, &[]))
    }

    /// The same with an environment.
    pub(crate) fn activated_within(
        (sockets, names): (Vec<OwnedFd>, &str),
        upstream: SocketAddr,
        (config, environment): (&str, &[(&str, &str)]),
    ) -> Self {
        let mut command = larder_with(sockets, &[("LISTEN_FDNAMES", names)]);
        command.envs(environment.iter().copied());
        // Addresses that it could not have: those of the sockets take their place.
        let arguments = ["--listen", "192.0.2.1:1", "--admin-listen", "127.0.0.1:0"];
        Self::run(command, &arguments, upstream, config)
    }

    /// A new process that takes this one's listeners over; the old one is told a moment later.
    pub(crate) fn successor(&self, upstream: SocketAddr, config: &str) -> Self {
        let pid = self.process.id().to_string();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            Command::new("kill").args(["-s", "QUIT", &pid]).status().unwrap();
        });
        let (proxy, admin) = (self.proxy.to_string(), self.admin.to_string());
        let arguments = ["--upgrade", "--listen", &proxy, "--admin-listen", &admin];
        Self::start((&arguments, &[]), upstream, config)
    }

    fn start(
        (arguments, environment): (&[&str], &[(&str, &str)]),
        upstream: SocketAddr,
        config: &str,
    ) -> Self {
        let mut command = larder(&[]);
        command.envs(environment.iter().copied());
        Self::run(command, arguments, upstream, config)
    }

    /// With a limit of the shell's, such as `-v 1000000`.
    pub(crate) fn limited(upstream: SocketAddr, limit: &str, config: &str) -> Self {
        let mut command = Command::new("sh");
        let script = format!("ulimit {limit}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_larder")]);
        command.env_clear().stdin(Stdio::null());
        let arguments = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        Self::run(command, &arguments, upstream, config)
    }

    /// With everything in its file, the addresses of its providers too.
    pub(crate) fn of_file(config: &str) -> Self {
        let file = config_file(config);
        let mut command = larder(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--admin-listen", "127.0.0.1:0", "--config", file.name()]);
        Self::listening(command, file)
    }

    fn run(mut command: Command, arguments: &[&str], upstream: SocketAddr, config: &str) -> Self {
        let file = config_file(config);
        let upstream = format!("http://{upstream}/v1");
        command.args(["serve", "--upstream", &upstream, "--config", file.name()]).args(arguments);
        Self::listening(command, file)
    }

    fn listening(mut command: Command, file: Config) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (told, listening) = mpsc::channel();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(addresses) = addresses(&line) {
                    drop(told.send(addresses));
                }
                kept.lock().unwrap().push(line);
            }
        });
        let Ok(addresses) = listening.recv_timeout(PATIENCE) else {
            panic!("the sidecar did not start: {:?}", log.lock().unwrap());
        };
        let (proxy, admin) = addresses.split_once(" admin=").unwrap();
        let admin = admin.split(' ').next().unwrap();
        let (proxy, admin) = (proxy.parse().unwrap(), admin.parse().unwrap());
        Self { proxy, admin, process, log, config: file }
    }

    /// Writes its configuration file anew; it does not know of that yet.
    pub(crate) fn rewrite(&self, text: &str) {
        fs::write(&self.config.0, text).unwrap();
    }

    /// Removes its configuration file.
    pub(crate) fn remove_file(&self) {
        fs::remove_file(&self.config.0).unwrap();
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.proxy)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn admin(&self) -> Client {
        Client::new(self.admin)
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// The sum of all series of a metric whose labels contain this.
    pub(crate) async fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.admin().get("/metrics").await.text();
        let series = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && line.contains(labels)
        });
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Waits until a metric has a value.
    pub(crate) async fn until(&self, name: &str, value: f64) {
        until(&format!("{name} = {value}"), || async {
            (self.metric(name, "").await - value).abs() < 0.5
        })
        .await;
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let process = Mutex::new(&mut self.process);
        let poll = || process.lock().unwrap().try_wait().unwrap();
        until("the sidecar ends", || async { poll().is_some() }).await;
        poll().unwrap()
    }

    /// A line of its `/proc/…/status` in bytes: `VmRSS`, or `VmHWM` for the most that it ever was.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|text| text.starts_with(line)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Sidecar {
    /// How often its threads have gone to sleep so far.
    pub(crate) fn sleeps(&self) -> u64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let sleeps = threads.map(|thread| {
            let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            let line =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse::<u64>().unwrap()
        });
        sleeps.sum()
    }

    /// How much of a processor it has had so far.
    pub(crate) fn processor(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
