//! Hand-overs that fail: the running process keeps its listeners, serves on, and says why.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, mem, thread};

use crate::harness::{
    Aside, Ask, Config, Raw, Sidecar, Simulated, config_file, larder, path, until,
};
use crate::life::ask_twice;

/// A sidecar whose successor the test plays at the socket.
struct Running {
    provider: Simulated,
    sidecar: Sidecar,
    upgrade: PathBuf,
}

impl Running {
    fn start() -> Self {
        let (provider, upgrade) = (Simulated::instant(), path("upgrade.sock"));
        let place = upgrade.display();
        let config = format!("[server]\ndrain = \"1s\"\nupgrade_socket = \"{place}\"\n");
        let sidecar = Sidecar::with(provider.address, &config);
        Self { provider, sidecar, upgrade }
    }

    /// Number of hand-overs that it has refused.
    fn refusals(&self) -> usize {
        self.sidecar.log().matches("not handed over; this process goes on serving").count()
    }

    async fn is_refused(&self, times: usize) {
        until("it says so", || async { self.refusals() >= times }).await;
        assert_eq!(ask_twice(self.sidecar.proxy, times).await, 2);
        assert_eq!(self.sidecar.admin().get("/readyz").await.status, 200);
    }

    async fn ends_at_sigterm(&mut self) {
        self.sidecar.signal("TERM");
        assert_eq!(self.sidecar.ended().await.code(), Some(0));
    }
}

/// Asks over new connections until it is told to stop, and at least so often. Each request must be answered;
/// the number of requests is returned.
pub(crate) fn ask_until_stopped(
    proxy: SocketAddr,
    least: usize,
) -> (Aside<usize>, Arc<AtomicBool>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let asking = Aside::start(async move {
        let mut asked = 0;
        while !stopping.load(Ordering::Relaxed) || asked < least {
            asked += ask_twice(proxy, asked).await;
        }
        asked
    });
    (asking, stop)
}

/// A successor that reads the offer, sends these lines, one after each message, and closes.
fn successor(upgrade: &Path, answers: Vec<&'static str>) -> thread::JoinHandle<()> {
    drop(std::fs::remove_file(upgrade));
    let waiting = UnixListener::bind(upgrade).unwrap();
    thread::spawn(move || {
        let (stream, _) = waiting.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for answer in answers {
            assert!(lines.next().unwrap().unwrap().contains("\"message\":"));
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
        drop::<UnixStream>(stream);
    })
}

#[tokio::test]
async fn sigquit_without_a_successor_is_no_outage() {
    let mut running = Running::start();
    for times in 1..=2 {
        running.sidecar.signal("QUIT");
        running.is_refused(times).await;
    }
    assert!(running.sidecar.log().contains("no new process waits at"), "{}", running.sidecar.log());
    assert!(!running.sidecar.log().contains("ERROR"), "{}", running.sidecar.log());
    running.ends_at_sigterm().await;
}

#[tokio::test]
async fn a_successor_that_fails_midway_is_no_outage() {
    let mut running = Running::start();
    let (asking, stop) = ask_until_stopped(running.sidecar.proxy, 0);
    for (number, answers) in [
        vec![],
        vec!["{\"message\":\"refused\",\"reason\":\"larder.toml:3: a typing error\"}\n"],
        vec!["no JSON\n"],
        vec!["{\"message\":\"take\"}\n"],
        vec!["{\"message\":\"ready\"}\n"],
        vec!["{\"message\":\"ready\"}\n", "{\"message\":\"ready\"}\n"],
    ]
    .into_iter()
    .enumerate()
    {
        let playing = successor(&running.upgrade, answers);
        running.sidecar.signal("QUIT");
        running.is_refused(number + 1).await;
        playing.join().unwrap();
    }
    assert!(running.sidecar.log().contains("larder.toml:3: a typing error"));
    stop.store(true, Ordering::Relaxed);
    assert!(asking.done().await > 0);
    running.ends_at_sigterm().await;
}

#[tokio::test]
async fn sigterm_ends_a_process_whose_successor_hangs() {
    let mut running = Running::start();
    let waiting = UnixListener::bind(&running.upgrade).unwrap();
    running.sidecar.signal("QUIT");
    let (_hangs, _) = waiting.accept().unwrap();
    assert_eq!(ask_twice(running.sidecar.proxy, 0).await, 2);
    let told = Instant::now();
    running.ends_at_sigterm().await;
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

#[tokio::test]
async fn a_successor_that_cannot_listen_says_so_to_both() {
    let mut running = Running::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = config_file(&format!("[server]\nupgrade_socket = {:?}\n", running.upgrade));
    let mut new = larder(&["serve", "--upgrade", "--listen", &taken, "--config", file.name()]);
    let new = new.stderr(Stdio::piped()).spawn().unwrap();
    until("it waits", || async { running.upgrade.exists() }).await;
    thread::sleep(Duration::from_millis(100));
    running.sidecar.signal("QUIT");
    let output = new.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let reason = format!("cannot listen on {taken}");
    assert!(said.contains(&reason), "{said}");
    assert!(!running.upgrade.exists());
    running.is_refused(1).await;
    assert!(running.sidecar.log().contains(&reason), "{}", running.sidecar.log());
    running.ends_at_sigterm().await;
}

#[tokio::test]
async fn an_idle_process_ends_at_once_after_a_hand_over() {
    let (provider, upgrade) = (Simulated::instant(), path("upgrade.sock"));
    let config = format!("[server]\nupgrade_socket = {upgrade:?}\n");
    let mut old = Sidecar::with(provider.address, &config);
    let mut idle = Raw::connect(old.proxy).await;
    idle.send(Raw::embed(&Ask::of(["x"]))).await;
    idle.answer().await;
    let new = old.successor(provider.address, &config);
    let told = Instant::now();
    assert_eq!(old.ended().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    assert!(!old.log().contains("ERROR") && !old.log().contains("WARN"), "{}", old.log());
    assert_eq!(ask_twice(new.proxy, 0).await, 2);
    assert!(!upgrade.exists());
}

/// Ways in which an upgrade fails. Each leaves the running process with its listeners.
#[derive(Debug, Clone, Copy)]
enum Failing {
    NoSuccessor,
    WrongFile,
    OtherUpgradeSocket,
    KilledWhileItWaits,
    AddressInUse,
    EndsMidway,
}

const FAILING: [Failing; 6] = [
    Failing::NoSuccessor,
    Failing::WrongFile,
    Failing::OtherUpgradeSocket,
    Failing::KilledWhileItWaits,
    Failing::AddressInUse,
    Failing::EndsMidway,
];

/// A process that is started to take over, with its own arguments.
fn started(config: &str, arguments: &[&str]) -> (Child, Config) {
    let file = config_file(config);
    let mut command = larder(&["serve", "--upgrade", "--config", file.name()]);
    (command.args(arguments).stderr(Stdio::null()).spawn().unwrap(), file)
}

async fn fails(running: &Running, config: &str, failing: Failing) {
    let (upgrade, before) = (&running.upgrade, running.refusals());
    let proxy = running.sidecar.proxy.to_string();
    let at = ["--listen", &proxy, "--admin-listen", "127.0.0.1:0"];
    let mut left = None;
    match failing {
        Failing::NoSuccessor => {}
        Failing::WrongFile => {
            let (mut process, _file) = started("[server]\nlisten_on = 1\n", &at);
            assert_eq!(process.wait().unwrap().code(), Some(2));
        }
        Failing::OtherUpgradeSocket => {
            let other = path("other.sock");
            let place = other.display();
            let config = format!("[server]\nupgrade_socket = \"{place}\"\n");
            left = Some(started(&config, &at));
            until("it waits", || async { other.exists() }).await;
        }
        Failing::KilledWhileItWaits => {
            let (mut process, _file) = started(config, &at);
            until("it waits", || async { UnixStream::connect(upgrade).is_ok() }).await;
            process.kill().unwrap();
            process.wait().unwrap();
        }
        Failing::AddressInUse => {
            let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let taken = taken.local_addr().unwrap().to_string();
            let (mut process, _file) = started(config, &["--listen", &taken]);
            until("it waits", || async { UnixStream::connect(upgrade).is_ok() }).await;
            running.sidecar.signal("QUIT");
            assert_eq!(process.wait().unwrap().code(), Some(1));
            return running.is_refused(before + 1).await;
        }
        Failing::EndsMidway => {
            let playing = successor(upgrade, vec!["{\"message\":\"ready\"}\n"]);
            running.sidecar.signal("QUIT");
            playing.join().unwrap();
            return running.is_refused(before + 1).await;
        }
    }
    running.sidecar.signal("QUIT");
    running.is_refused(before + 1).await;
    if let Some((mut process, _file)) = left {
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

/// Half of them fail, in every way. `LARDER_HANDOVERS` says how many there are.
#[tokio::test]
async fn hand_overs_under_load_lose_no_request() {
    let rounds = env::var("LARDER_HANDOVERS").map_or(12, |text| text.parse().unwrap());
    let mut running = Running::start();
    let config = format!("[server]\ndrain = \"5s\"\nupgrade_socket = {:?}\n", running.upgrade);
    let loads: Vec<_> = (0..3).map(|_| ask_until_stopped(running.sidecar.proxy, 0)).collect();
    for round in 0..rounds {
        if round % 2 == 0 {
            fails(&running, &config, FAILING[round / 2 % FAILING.len()]).await;
        } else {
            let new = running.sidecar.successor(running.provider.address, &config);
            let mut old = mem::replace(&mut running.sidecar, new);
            assert_eq!(old.ended().await.code(), Some(0));
        }
    }
    let mut asked = 0;
    for (asking, stop) in loads {
        stop.store(true, Ordering::Relaxed);
        asked += asking.done().await;
    }
    assert!(asked > rounds, "{asked}");
    running.ends_at_sigterm().await;
}
