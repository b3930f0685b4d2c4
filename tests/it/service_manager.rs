//! Start, upgrade and end as a service manager sees them, and signals at every moment.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::harness::{
    Aside, Ask, Config, Gate, Raw, Scripted, Simulated, config_file, larder, path, until,
};
use crate::life::ask_twice;

/// A service manager that waits for notifications.
struct Manager {
    socket: UnixDatagram,
    file: PathBuf,
}

impl Manager {
    fn new() -> Self {
        let file = path("notify.sock");
        let socket = UnixDatagram::bind(&file).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { socket, file }
    }

    /// The next notification.
    fn next(&self) -> String {
        let mut bytes = [0; 4_096];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// Whether nothing more was sent.
    fn is_quiet(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let more = self.socket.recv(&mut [0; 4_096]);
        self.socket.set_nonblocking(false).unwrap();
        more.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.file));
    }
}

fn ready(process: u32) -> String {
    format!("READY=1\nMAINPID={process}\n")
}

/// A configuration on free ports that both processes of an upgrade have.
fn service(provider: &Simulated, upgrade: &Path) -> (Config, String) {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (proxy, admin, provider) = (free(), free(), provider.address);
    let upgrade = upgrade.display();
    let text = format!(
        "[server]\nlisten = \"{proxy}\"\nadmin_listen = \"{admin}\"\nupgrade_socket = \"{upgrade}\"\n\
         [providers.openai]\nbase_url = \"http://{provider}/v1\"\n"
    );
    (config_file(&text), proxy.to_string())
}

fn serve(binary: &str, file: &Config, manager: &Manager) -> Command {
    let mut command = Command::new(binary);
    command.args(["serve", "--config", file.name()]).env_clear();
    command.env("NOTIFY_SOCKET", &manager.file).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn signal(process: &Child, name: &str) {
    let pid = process.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

/// The exit code within a time.
async fn ended(process: &mut Child) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status.code();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "it goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_service_manager_hears_of_the_start_the_upgrade_and_the_end() {
    let (manager, provider, upgrade) = (Manager::new(), Simulated::instant(), path("upgrade.sock"));
    let (file, proxy) = service(&provider, &upgrade);
    let binary = env!("CARGO_BIN_EXE_larder");
    let mut old = serve(binary, &file, &manager).spawn().unwrap();
    assert_eq!(manager.next(), ready(old.id()));
    let mut new = serve(binary, &file, &manager).arg("--upgrade").spawn().unwrap();
    until("it waits", || async { upgrade.exists() }).await;
    assert!(manager.is_quiet());
    signal(&old, "QUIT");
    // The old process says nothing of its end: the service goes on.
    assert_eq!(manager.next(), ready(new.id()));
    assert_eq!(ended(&mut old).await, Some(0));
    assert!(manager.is_quiet());
    assert_eq!(ask_twice(proxy.parse().unwrap(), 0).await, 2);
    signal(&new, "TERM");
    assert_eq!(manager.next(), "STOPPING=1\n");
    assert_eq!(ended(&mut new).await, Some(0));
}

/// `config/deploy/larder-reload` as the unit runs it.
#[tokio::test]
async fn systemctl_reload_upgrades_a_replaced_binary_and_else_reads_the_file_again() {
    let (manager, provider, upgrade) = (Manager::new(), Simulated::instant(), path("upgrade.sock"));
    let (file, proxy) = service(&provider, &upgrade);
    // A copy, so that it can be replaced.
    let binary = path("larder");
    let replace = || {
        let next = path("larder-next");
        fs::copy(env!("CARGO_BIN_EXE_larder"), &next).unwrap();
        fs::rename(next, &binary).unwrap();
    };
    replace();
    let log = path("log");
    let mut old = serve(binary.to_str().unwrap(), &file, &manager);
    let mut old = old.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    assert_eq!(manager.next(), ready(old.id()));
    let reload = |main: u32| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/deploy/larder-reload");
        let mut command = Command::new("sh");
        command.arg(script).args([binary.to_str().unwrap(), "serve", "--config", file.name()]);
        command.env("MAINPID", main.to_string()).env("NOTIFY_SOCKET", &manager.file);
        command.env("LARDER_SERVER_UPGRADE_SOCKET", &upgrade).stdin(Stdio::null());
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().code()
    };
    assert_eq!(reload(old.id()), Some(0));
    until("it is reloaded", || async {
        fs::read_to_string(&log).unwrap().contains("configuration reloaded")
    })
    .await;
    replace();
    assert_eq!(reload(old.id()), Some(0));
    let said = manager.next();
    let new = said.strip_prefix("READY=1\nMAINPID=").unwrap().trim().to_owned();
    assert_eq!(ended(&mut old).await, Some(0));
    assert_eq!(ask_twice(proxy.parse().unwrap(), 0).await, 2);
    // A file that is wrong by now fails the reload, and the process goes on.
    fs::write(file.name(), "[server]\nlistn = 1\n").unwrap();
    replace();
    assert_ne!(reload(new.parse().unwrap()), Some(0));
    assert_eq!(ask_twice(proxy.parse().unwrap(), 1).await, 2);
    assert!(Command::new("kill").arg(&new).status().unwrap().success());
    assert_eq!(manager.next(), "STOPPING=1\n");
    for file in [binary, log] {
        fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn sigterm_ends_a_process_that_waits_for_a_hand_over() {
    for name in ["TERM", "INT"] {
        let upgrade = path("upgrade.sock");
        let file = config_file(&format!("[server]\nupgrade_socket = {upgrade:?}\n"));
        let arguments = ["serve", "--upgrade", "--listen", "127.0.0.1:0", "--config", file.name()];
        let mut waiting = larder(&arguments).stderr(Stdio::null()).spawn().unwrap();
        until("it waits", || async { upgrade.exists() }).await;
        signal(&waiting, name);
        assert_eq!(ended(&mut waiting).await, Some(0), "{name}");
        assert!(!upgrade.exists());
    }
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once_and_says_so() {
    let gate = Gate::closed();
    let provider = Scripted::behind(&gate);
    let mut sidecar = crate::harness::Sidecar::before(provider.address);
    let proxy = sidecar.proxy;
    let in_flight = Aside::start(async move {
        let mut connection = Raw::connect(proxy).await;
        connection.send(Raw::embed(&Ask::of(["in flight"]))).await;
        connection.rest().await
    });
    provider.called(1).await;
    sidecar.signal("INT");
    let first = "draining; a second signal ends it at once";
    until("it drains", || async { sidecar.log().contains(first) }).await;
    sidecar.signal("INT");
    let told = Instant::now();
    assert_eq!(sidecar.ended().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    let log = sidecar.log();
    assert!(log.contains("second signal: ending at once"), "{log}");
    assert_eq!(in_flight.done().await, "");
}
