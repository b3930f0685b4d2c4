//! Sockets that larder is started with: they take connections before it runs, and stay when it ends.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as SocketName, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::Ordering;

use super::ask_on;
use crate::harness::{Ask, Raw, Sidecar, Simulated, larder, larder_with, path, until};
use crate::life::ask_twice_on;

/// What systemd holds: the sockets, each open for as long as this.
struct Held {
    proxy: TcpListener,
    admin: TcpListener,
    unix: UnixListener,
    file: PathBuf,
}

impl Held {
    fn open() -> Self {
        let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
        let file = path("held.sock");
        let unix = UnixListener::bind(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        unix.set_nonblocking(true).unwrap();
        Self { proxy: tcp(), admin: tcp(), unix, file }
    }

    fn proxy(&self) -> SocketAddr {
        self.proxy.local_addr().unwrap()
    }

    fn admin(&self) -> SocketAddr {
        self.admin.local_addr().unwrap()
    }

    /// What larder is given of them, in this order.
    fn given(&self, names: &[&str]) -> Vec<OwnedFd> {
        let one = |name: &&str| match *name {
            "proxy" => self.proxy.try_clone().unwrap().into(),
            "admin" => self.admin.try_clone().unwrap().into(),
            _ => self.unix.try_clone().unwrap().into(),
        };
        names.iter().map(one).collect()
    }

    /// A sidecar with all of them, before a provider.
    fn start(&self, provider: SocketAddr) -> Sidecar {
        let names = ["proxy", "admin", "unix"];
        Sidecar::activated((self.given(&names), &names.join(":")), provider, "")
    }

    /// The file is as it was made, and nobody has knocked.
    fn is_left_alone(&self) {
        assert_eq!(fs::metadata(&self.file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(self.unix.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.file));
    }
}

/// Asks before there is anybody who could answer.
async fn knock(held: &Held, ask: &Ask) -> (Vec<Raw>, Raw) {
    let mut asked = vec![Raw::connect(held.proxy()).await, Raw::unix(&held.file).await];
    for connection in &mut asked {
        connection.send(Raw::embed(ask)).await;
    }
    let mut admin = Raw::connect(held.admin()).await;
    admin.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    (asked, admin)
}

async fn are_answered((asked, mut admin): (Vec<Raw>, Raw), ask: &Ask) {
    for mut connection in asked {
        ask.check(&connection.answer().await);
    }
    assert_eq!(admin.answer().await.status, 200);
}

#[tokio::test]
async fn who_connects_before_larder_runs_is_answered_once_it_does() {
    let (provider, held) = (Simulated::instant(), Held::open());
    // The second time between two lives of it.
    for life in 0..2 {
        let ask = Ask::of([format!("early {life}")]);
        let early = knock(&held, &ask).await;
        let mut sidecar = held.start(provider.address);
        are_answered(early, &ask).await;
        assert_eq!((sidecar.proxy, sidecar.admin), (held.proxy(), held.admin()));
        let told = format!(" unix={}", held.file.display());
        until("it says so", || async { sidecar.log().contains(&told) }).await;
        sidecar.signal("TERM");
        assert_eq!(sidecar.ended().await.code(), Some(0));
        held.is_left_alone();
    }
}

#[tokio::test]
async fn sockets_without_names_of_their_own_are_taken_in_order_and_by_kind() {
    let provider = Simulated::instant();
    for (order, names) in [
        (["proxy", "admin", "unix"], "larder.socket:larder.socket:larder.socket"),
        (["unix", "proxy", "admin"], ""),
        (["proxy", "unix", "admin"], "unknown:unix:unknown"),
    ] {
        let held = Held::open();
        let ask = Ask::of([format!("called {names:?}")]);
        let early = knock(&held, &ask).await;
        let _sidecar = Sidecar::activated((held.given(&order), names), provider.address, "");
        are_answered(early, &ask).await;
    }
}

#[tokio::test]
async fn what_is_not_passed_is_opened_as_configured() {
    let (provider, held) = (Simulated::instant(), Held::open());
    let socket = path("configured.sock");
    let config = format!("[server]\nunix_socket = \"{}\"\n", socket.display());
    let given = (held.given(&["proxy"]), "proxy");
    let mut sidecar = Sidecar::activated(given, provider.address, &config);
    assert_eq!(sidecar.proxy, held.proxy());
    assert_eq!(sidecar.admin().get("/healthz").await.status, 200);
    assert_eq!(ask_twice_on(Raw::unix(&socket).await, 0).await, 2);
    sidecar.signal("TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
    assert!(!socket.exists());
}

#[tokio::test]
async fn sockets_that_were_passed_are_handed_over_and_stay() {
    let (provider, held) = (Simulated::instant(), Held::open());
    let config = format!(
        "[server]\nunix_socket = \"{}\"\ndrain = \"1s\"\nupgrade_socket = {:?}\n",
        held.file.display(),
        path("upgrade.sock")
    );
    let names = ["proxy", "admin", "unix"];
    let given = (held.given(&names), "proxy:admin:unix");
    let mut old = Sidecar::activated(given, provider.address, &config);
    let (asking, stop) = ask_on(&held.file);
    let mut new = old.successor(provider.address, &config);
    assert_eq!((new.proxy, new.admin), (held.proxy(), held.admin()));
    assert_eq!(old.ended().await.code(), Some(0));
    stop.store(true, Ordering::Relaxed);
    assert!(asking.done().await > 100);
    let ask = Ask::of(["afterwards"]);
    are_answered(knock(&held, &ask).await, &ask).await;
    new.signal("TERM");
    assert_eq!(new.ended().await.code(), Some(0));
    held.is_left_alone();
}

/// The exit code and the words of a sidecar with sockets that does not start.
fn refused(
    sockets: Vec<OwnedFd>,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> (Option<i32>, String) {
    let mut serve = larder_with(sockets, environment);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let Output { status, stderr, .. } = serve.args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn what_larder_has_no_place_for_is_an_error() {
    let held = Held::open();
    let listener = |name| held.given(&[name]).remove(0);
    let connected = || TcpStream::connect(held.proxy()).unwrap().into();
    let datagrams = || UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let pair = || UnixStream::pair().unwrap().0.into();
    let without_file = || {
        let name = SocketName::from_abstract_name(b"larder's test").unwrap();
        UnixListener::bind_addr(&name).unwrap().into()
    };
    let file = || fs::File::open(env!("CARGO_BIN_EXE_larder")).unwrap().into();
    for (sockets, names, wrong) in [
        (vec![listener("proxy")], "web", "socket 1 of LISTEN_FDS (\"web\"): it must be called"),
        (vec![listener("unix")], "proxy", "socket 1 of LISTEN_FDS (\"proxy\"): fd 3 is not a"),
        (vec![listener("proxy")], "unix", "socket 1 of LISTEN_FDS (\"unix\"): fd 3 is not a"),
        (
            held.given(&["proxy", "admin"]),
            "proxy:proxy",
            "socket 2 of LISTEN_FDS (\"proxy\"): another",
        ),
        (held.given(&["proxy", "admin", "proxy"]), "", "socket 3 of LISTEN_FDS: another one has"),
        (vec![connected()], "proxy", "(\"proxy\"): it does not listen"),
        (vec![pair()], "", "socket 1 of LISTEN_FDS: it does not listen"),
        (vec![without_file()], "unix", "the Unix socket of LISTEN_FDS: it has no file"),
        (vec![datagrams()], "", "socket 1 of LISTEN_FDS: fd 3 is not a valid tcp socket"),
        (vec![file()], "", "socket 1 of LISTEN_FDS: fd 3 is not a socket"),
    ] {
        let (code, said) = refused(sockets, &[("LISTEN_FDNAMES", names)], &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("cannot listen on ") && said.contains(wrong), "{wrong}: {said}");
    }
    for (count, wrong) in [
        ("one", "the sockets of LISTEN_FDS: \"one\" is not a number of them"),
        ("-1", "the sockets of LISTEN_FDS: \"-1\" is not a number of them"),
        ("4", "the sockets of LISTEN_FDS: there are 4, and places for 3"),
        ("1", "socket 1 of LISTEN_FDS: fd 3 is not a socket"),
    ] {
        let (code, said) = refused(Vec::new(), &[("LISTEN_FDS", count)], &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(wrong), "{wrong}: {said}");
    }
}

#[test]
fn sockets_that_the_settings_do_not_allow_are_wrong_usage() {
    let open = || vec![TcpListener::bind("0.0.0.0:0").unwrap().into()];
    let (code, said) = refused(open(), &[("LISTEN_FDNAMES", "admin")], &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("set it (LARDER_ADMIN_TOKEN)"), "{said}");
    let (code, said) = refused(open(), &[], &["--upgrade"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("LISTEN_FDS has brought others"), "{said}");
}

#[test]
fn sockets_of_another_process_are_not_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut serve = larder(&["serve", "--listen", &address]);
    let output = serve.env("LISTEN_FDS", "1").env("LISTEN_PID", "1").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}
