//! The socket file: the same HTTP as over TCP, and a file that comes and goes with who listens on it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::{ask_on, refused, streams_on};
use crate::gate::in_two;
use crate::harness::{Ask, Gate, Raw, Scripted, Sidecar, Simulated, larder, path, until};
use crate::life::{ask_twice, ask_twice_on};
use tokio::sync::oneshot;

/// A path, and a configuration that listens there.
fn socket() -> (PathBuf, String) {
    let socket = path("larder.sock");
    let config = format!("[server]\nunix_socket = \"{}\"\n", socket.display());
    (socket, config)
}

async fn answers(socket: &Path, ask: &Ask) -> String {
    let mut connection = Raw::unix(socket).await;
    connection.send(Raw::embed(ask)).await;
    let answer = connection.answer().await;
    ask.check(&answer);
    answer.header("cache-status").to_owned()
}

fn mode(socket: &Path) -> u32 {
    fs::metadata(socket).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_same_answers_come_over_the_socket_and_it_goes_with_the_process() {
    let provider = Simulated::instant();
    let (socket, config) = socket();
    let mut sidecar = Sidecar::with(provider.address, &config);
    assert_eq!(mode(&socket), 0o660);
    let told = format!(" unix={}", socket.display());
    until("it says so", || async { sidecar.log().contains(&told) }).await;
    let ask = Ask::of(["by file"]);
    assert!(answers(&socket, &ask).await.contains("fwd="));
    assert!(answers(&socket, &ask).await.contains("hit"));
    let over_tcp = sidecar.client().right(&ask).await;
    assert!(over_tcp.header("cache-status").contains("hit"), "{over_tcp:?}");
    for number in 0..20 {
        assert_eq!(ask_twice_on(Raw::unix(&socket).await, number).await, 2);
    }
    sidecar.signal("TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
    assert!(!socket.exists());
}

#[tokio::test]
async fn an_answer_streams_over_the_socket() {
    let (go_on, waits) = oneshot::channel();
    let (provider, _playing) = in_two(waits).await;
    let (socket, config) = socket();
    let _sidecar = Sidecar::with(provider, &config);
    streams_on(Raw::unix(&socket).await, go_on).await;
}

#[tokio::test]
async fn flag_and_environment_name_the_socket_too() {
    let provider = Simulated::instant();
    let (socket, _) = socket();
    let place = [("LARDER_UNIX_SOCKET", socket.to_str().unwrap())];
    let sidecar = Sidecar::within(provider.address, "", &place);
    answers(&socket, &Ask::of(["named"])).await;
    drop(sidecar);
    let said = larder(&["check", "--unix-socket", "/run/by-flag"]).output().unwrap().stdout;
    assert!(String::from_utf8(said).unwrap().contains("/run/by-flag"));
    fs::remove_file(&socket).unwrap();
}

#[tokio::test]
async fn a_socket_that_a_dead_process_left_is_replaced() {
    let provider = Simulated::instant();
    let (socket, config) = socket();
    drop(UnixListener::bind(&socket).unwrap());
    for round in 0..3 {
        assert!(socket.exists());
        let sidecar = Sidecar::with(provider.address, &config);
        answers(&socket, &Ask::of([format!("anew {round}")])).await;
        // It is killed.
        drop(sidecar);
    }
    fs::remove_file(&socket).unwrap();
}

#[test]
fn a_file_that_is_not_a_socket_is_not_touched() {
    let (socket, config) = socket();
    let said = |what: &str| {
        let (code, said) = refused(&config);
        assert_eq!(code, Some(1), "{said}");
        let wrong = format!("cannot listen on {}: {what}", socket.display());
        assert!(said.contains(&wrong), "{said}");
    };
    fs::write(&socket, "precious").unwrap();
    said("there is a file that is not a socket");
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
    fs::remove_file(&socket).unwrap();
    // Nor is what a link leads to, nor the link.
    let other = path("other.sock");
    drop(UnixListener::bind(&other).unwrap());
    symlink(&other, &socket).unwrap();
    said("there is a file that is not a socket");
    assert!(fs::symlink_metadata(&socket).unwrap().is_symlink() && other.exists());
    fs::remove_file(&socket).unwrap();
    fs::remove_file(&other).unwrap();
    fs::create_dir(&socket).unwrap();
    said("there is a file that is not a socket");
    fs::remove_dir(&socket).unwrap();
}

#[tokio::test]
async fn a_second_process_does_not_take_the_socket_from_the_first() {
    let provider = Simulated::instant();
    let (socket, config) = socket();
    let mut first = Sidecar::with(provider.address, &config);
    let (code, said) = refused(&config);
    assert_eq!(code, Some(1), "{said}");
    let wrong = format!("cannot listen on {}: another process listens there", socket.display());
    assert!(said.contains(&wrong), "{said}");
    answers(&socket, &Ask::of(["still there"])).await;
    first.signal("TERM");
    assert_eq!(first.ended().await.code(), Some(0));
    assert!(!socket.exists());
}

#[tokio::test]
async fn what_is_in_flight_on_the_socket_is_finished() {
    let gate = Gate::closed();
    let provider = Scripted::behind(&gate);
    let (socket, config) = socket();
    let mut sidecar = Sidecar::with(provider.address, &config);
    let ask = Ask::of(["in flight"]);
    let mut connection = Raw::unix(&socket).await;
    connection.send(Raw::embed(&ask)).await;
    provider.called(1).await;
    sidecar.signal("TERM");
    let refuses = || UnixStream::connect(&socket).is_err();
    until("it takes no more", || async { refuses() }).await;
    // Who begins meanwhile has the file from then on.
    let next = Sidecar::with(provider.address, &config);
    gate.open();
    ask.check(&connection.answer().await);
    assert_eq!(sidecar.ended().await.code(), Some(0));
    answers(&socket, &Ask::of(["in flight"])).await;
    drop(next);
    fs::remove_file(&socket).unwrap();
}

fn with_hand_over(config: &str) -> String {
    let upgrade = path("upgrade.sock");
    format!("{config}drain = \"1s\"\nupgrade_socket = \"{}\"\n", upgrade.display())
}

#[tokio::test]
async fn a_new_process_takes_the_socket_over_and_no_request_is_lost() {
    let provider = Simulated::instant();
    let (socket, config) = socket();
    let config = with_hand_over(&config);
    let mut old = Sidecar::with(provider.address, &config);
    let (asking, stop) = ask_on(&socket);
    let mut new = old.successor(provider.address, &config);
    assert_eq!(old.ended().await.code(), Some(0));
    stop.store(true, Ordering::Relaxed);
    assert!(asking.done().await > 100);
    assert_eq!(mode(&socket), 0o660);
    answers(&socket, &Ask::of(["afterwards"])).await;
    assert_eq!(ask_twice(new.proxy, 0).await, 2);
    new.signal("TERM");
    assert_eq!(new.ended().await.code(), Some(0));
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_hand_over_may_bring_a_socket_or_take_it_away() {
    let provider = Simulated::instant();
    let (socket, with) = socket();
    let without = with_hand_over("[server]\n");
    let with = without.clone() + with.trim_start_matches("[server]\n");
    let mut first = Sidecar::with(provider.address, &without);
    let mut second = first.successor(provider.address, &with);
    assert_eq!(mode(&socket), 0o660);
    answers(&socket, &Ask::of(["brought"])).await;
    assert_eq!(first.ended().await.code(), Some(0));
    answers(&socket, &Ask::of(["brought"])).await;
    let third = second.successor(provider.address, &without);
    assert_eq!(second.ended().await.code(), Some(0));
    assert!(!socket.exists());
    assert_eq!(ask_twice(third.proxy, 0).await, 2);
}

#[tokio::test]
async fn a_hand_over_without_a_successor_leaves_the_socket_open() {
    let provider = Simulated::instant();
    let (socket, config) = socket();
    let mut sidecar = Sidecar::with(provider.address, &with_hand_over(&config));
    sidecar.signal("QUIT");
    until("it says so", || async { sidecar.log().contains("not handed over") }).await;
    answers(&socket, &Ask::of(["still there"])).await;
    sidecar.signal("TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
    assert_eq!(UnixStream::connect(&socket).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn paths_that_cannot_be_are_errors_of_the_configuration() {
    let long = format!("/{}", "x".repeat(107));
    for (path, wrong) in [
        ("/tmp/with space", "must not hold white space"),
        (long.as_str(), "has 108 bytes, and the path of a socket may have 107"),
        ("larder.sock", "expected an absolute path"),
        ("/run/larder-upgrade.sock", "is server.upgrade_socket too"),
    ] {
        let (code, said) = refused(&format!("[server]\nunix_socket = {path:?}\n"));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("server.unix_socket: ") && said.contains(wrong), "{said}");
    }
}
