//! TLS on the proxy's listener: by ALPN, within a time, and with a certificate that may be replaced.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::client::TlsStream;

use super::{refused, streams_on};
use crate::gate::in_two;
use crate::harness::{
    Answer, Aside, Ask, Authority, Pair, Raw, Sidecar, Simulated, config_file, larder, path,
    private, until,
};
use crate::life::ask_twice_on;

fn encrypted() -> (Simulated, Authority, Pair, Sidecar) {
    let (provider, authority) = (Simulated::instant(), Authority::new());
    let pair = authority.issue("first");
    let sidecar = Sidecar::with(provider.address, &pair.config());
    (provider, authority, pair, sidecar)
}

async fn open(authority: &Authority, sidecar: &Sidecar) -> TlsStream<TcpStream> {
    authority.connect(sidecar.proxy, &[]).await.unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn answer_on(connection: &mut Raw, text: &str) -> Answer {
    let ask = Ask::of([text]);
    connection.send(Raw::embed(&ask)).await;
    let answer = connection.answer().await;
    ask.check(&answer);
    answer
}

#[tokio::test]
async fn both_protocols_are_spoken_by_what_the_client_offers() {
    let (_provider, authority, pair, sidecar) = encrypted();
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.1", "h2"], Some("h2")),
        (&[], None),
    ] {
        let stream = authority.connect(sidecar.proxy, offered).await.unwrap();
        let protocol = stream.get_ref().1.alpn_protocol();
        assert_eq!(protocol, agreed.map(str::as_bytes), "{offered:?}");
        assert_eq!(shown(&stream), pair.certificate());
    }
    let mut connection = Raw::over(authority.connect(sidecar.proxy, &["http/1.1"]).await.unwrap());
    answer_on(&mut connection, "encrypted").await;
    let again = answer_on(&mut connection, "encrypted").await;
    assert!(again.header("cache-status").contains("; hit"), "{again:?}");

    let stream = TokioIo::new(authority.connect(sidecar.proxy, &["h2"]).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let _running = Aside::start(async { connection.await.unwrap() });
    let ask = Ask::of(["encrypted"]);
    for _ in 0..3 {
        let request = Request::post(format!("https://localhost{}", ask.path))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(ask.body())));
        let (head, body) = sender.send_request(request.unwrap()).await.unwrap().into_parts();
        assert_eq!(head.version, Version::HTTP_2);
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer { status: head.status.as_u16(), headers: head.headers, body };
        ask.check(&answer);
        assert!(answer.header("cache-status").contains("; hit"), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_streams_over_tls() {
    let (go_on, waits) = oneshot::channel();
    let (provider, _playing) = in_two(waits).await;
    let authority = Authority::new();
    let sidecar = Sidecar::with(provider, &authority.issue("first").config());
    streams_on(Raw::over(open(&authority, &sidecar).await), go_on).await;
}

#[tokio::test]
async fn who_trusts_another_authority_does_not_connect() {
    let (_provider, authority, _pair, sidecar) = encrypted();
    let error = Authority::new().connect(sidecar.proxy, &[]).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    answer_on(&mut Raw::over(open(&authority, &sidecar).await), "still here").await;
}

#[tokio::test]
async fn plain_text_on_the_encrypted_port_is_not_answered() {
    let (provider, authority, _pair, sidecar) = encrypted();
    for _ in 0..10 {
        let mut plain = Raw::connect(sidecar.proxy).await;
        plain.send(Raw::embed(&Ask::of(["plain"]))).await;
        // An alert, which is no HTTP.
        let said = plain.rest().await;
        assert!(said.len() < 16 && !said.contains("HTTP"), "{said:?}");
    }
    assert_eq!(provider.stats().await.requests, 0);
    answer_on(&mut Raw::over(open(&authority, &sidecar).await), "encrypted").await;
}

#[tokio::test]
async fn slow_handshakes_end_in_time_and_hold_nobody_up() {
    let (provider, authority) = (Simulated::instant(), Authority::new());
    let config = authority.issue("first").config() + "head_timeout = \"1s\"\n";
    let sidecar = Sidecar::with(provider.address, &config);
    let began = Instant::now();
    let mut slow = Vec::new();
    for number in 0..20 {
        let mut connection = Raw::connect(sidecar.proxy).await;
        // Nothing at all, or the beginning of a client's first word.
        connection.send(if number % 2 == 0 { "" } else { "\x16\x03\x01\x01" }).await;
        slow.push(connection);
    }
    sidecar.until("larder_downstream_connections", 20.0).await;
    for number in 0..5 {
        let connection = Raw::over(open(&authority, &sidecar).await);
        assert_eq!(ask_twice_on(connection, number).await, 2);
    }
    for connection in slow {
        assert_eq!(connection.rest().await, "");
    }
    let took = began.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(8)).contains(&took), "{took:?}");
    sidecar.until("larder_downstream_connections", 0.0).await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_handshakes() {
    let (_provider, authority, _pair, mut sidecar) = encrypted();
    let slow = Raw::connect(sidecar.proxy).await;
    let mut idle = Raw::over(open(&authority, &sidecar).await);
    answer_on(&mut idle, "idle").await;
    let told = Instant::now();
    sidecar.signal("TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
    assert_eq!(slow.rest().await, "");
}

async fn reload(sidecar: &Sidecar) -> (u16, String) {
    let answer = sidecar.admin().send(Method::POST, "/api/reload", &[], "").await;
    (answer.status, answer.text())
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_open_connections_go_on() {
    let (_provider, authority, pair, sidecar) = encrypted();
    let stream = open(&authority, &sidecar).await;
    let first = shown(&stream);
    let mut before = Raw::over(stream);
    answer_on(&mut before, "before").await;
    for (round, by_signal) in [(1, true), (2, false)] {
        let next = authority.issue("next");
        pair.becomes(&next);
        if by_signal {
            sidecar.signal("HUP");
            let taken = || sidecar.log().matches("configuration reloaded").count();
            until("it is taken over", || async { taken() == round }).await;
        } else {
            assert_eq!(reload(&sidecar).await.0, 200);
        }
        let stream = open(&authority, &sidecar).await;
        assert_eq!(shown(&stream), next.certificate());
        assert_ne!(shown(&stream), first);
        answer_on(&mut Raw::over(stream), "after").await;
        answer_on(&mut before, "before").await;
    }
    assert!(!sidecar.log().contains("only a restart"), "{}", sidecar.log());
}

#[tokio::test]
async fn a_broken_pair_is_refused_whole_and_the_old_one_stays() {
    let (_provider, authority, pair, sidecar) = encrypted();
    let shown_now = async || shown(&open(&authority, &sidecar).await);
    let (first, other) = (shown_now().await, authority.issue("other"));
    let key = fs::read(&pair.key).unwrap();
    // Its own key no more, no key at all, no file.
    fs::copy(&other.key, &pair.key).unwrap();
    sidecar.rewrite(&format!("{}max_body = \"1B\"\n", pair.config()));
    let (status, said) = reload(&sidecar).await;
    assert_eq!(status, 422, "{said}");
    let wrong = format!("server.tls_key: {}: is not the key of the certificate in", pair.key);
    assert!(said.contains(&wrong), "{said}");
    fs::write(&pair.key, "-----BEGIN PRIVATE KEY-----\ncanary\n").unwrap();
    let (status, said) = reload(&sidecar).await;
    assert!(status == 422 && said.contains("holds no PEM private key"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    fs::remove_file(&pair.key).unwrap();
    let (status, said) = reload(&sidecar).await;
    let wrong = format!("server.tls_key: {}: No such file", pair.key);
    assert!(status == 422 && said.contains(&wrong), "{said}");
    assert_eq!(shown_now().await, first);
    // Nothing else of the file was taken over either.
    answer_on(&mut Raw::over(open(&authority, &sidecar).await), "not too large").await;
    private(&pair.key, &key);
    sidecar.rewrite(&pair.config());
    assert_eq!(reload(&sidecar).await.0, 200);
    pair.becomes(&other);
    assert_eq!(reload(&sidecar).await.0, 200);
    assert_eq!(shown_now().await, other.certificate());
}

#[tokio::test]
async fn certificates_that_change_under_load_lose_no_request() {
    let (_provider, authority, pair, sidecar) = encrypted();
    let authority = Arc::new(authority);
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let (stopping, counted, trusting) =
        (Arc::clone(&stop), Arc::clone(&asked), Arc::clone(&authority));
    let proxy = sidecar.proxy;
    let asking = Aside::start(async move {
        while !stopping.load(Ordering::Relaxed) {
            let stream = trusting.connect(proxy, &["http/1.1"]).await.unwrap();
            let number = counted.load(Ordering::Relaxed);
            let more = ask_twice_on(Raw::over(stream), number).await;
            counted.fetch_add(more, Ordering::Relaxed);
        }
    });
    for _ in 0..10 {
        pair.becomes(&authority.issue("next"));
        assert_eq!(reload(&sidecar).await.0, 200);
        let enough = asked.load(Ordering::Relaxed) + 4;
        until("the load goes on", || async { asked.load(Ordering::Relaxed) >= enough }).await;
    }
    stop.store(true, Ordering::Relaxed);
    asking.done().await;
}

#[tokio::test]
async fn the_socket_file_is_never_encrypted() {
    let (provider, authority) = (Simulated::instant(), Authority::new());
    let socket = path("larder.sock");
    let config = authority.issue("first").config();
    let config = format!("{config}unix_socket = \"{}\"\n", socket.display());
    let mut sidecar = Sidecar::with(provider.address, &config);
    answer_on(&mut Raw::unix(&socket).await, "by file").await;
    let mut connection = Raw::over(open(&authority, &sidecar).await);
    let hit = answer_on(&mut connection, "by file").await;
    assert!(hit.header("cache-status").contains("; hit"), "{hit:?}");
    sidecar.signal("TERM");
    sidecar.ended().await;
}

#[test]
fn what_is_wrong_with_a_pair_is_told_with_key_file_and_reason() {
    let authority = Authority::new();
    let (one, other, bad) =
        (authority.issue("one"), authority.issue("other"), authority.issue("bad"));
    fs::write(&bad.cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let nothing = config_file("canary");
    private(nothing.name(), "canary");
    let pair = |cert: &str, key: &str| Pair { cert: cert.to_owned(), key: key.to_owned() };
    for (pair, key, wrong) in [
        (pair(&one.cert, &other.key), "key", format!("{}: is not the key", other.key)),
        (pair(&one.cert, nothing.name()), "key", format!("{}: holds no PEM", nothing.name())),
        (pair(nothing.name(), &one.key), "cert", format!("{}: holds no PEM", nothing.name())),
        (pair(&bad.cert, &one.key), "cert", format!("{}: invalid peer cert", bad.cert)),
        (pair("/nowhere.pem", &one.key), "cert", "/nowhere.pem: No such file".to_owned()),
        (pair(&one.cert, ""), "key", format!("is missing: {} is set, and TLS needs", one.cert)),
        (pair("", &one.key), "cert", format!("is missing: {} is set, and TLS needs", one.key)),
    ] {
        let (code, said) = refused(&pair.config());
        assert_eq!(code, Some(2), "{pair:?}: {said}");
        assert!(said.contains(&format!("server.tls_{key}: {wrong}")), "{pair:?}: {said}");
        let file = config_file(&pair.config());
        let check = larder(&["check", "--config", file.name()]).output().unwrap();
        let checked = String::from_utf8(check.stderr).unwrap();
        assert_eq!(check.status.code(), Some(2), "{checked}");
        assert!(checked.contains(&wrong) && !checked.contains("canary"), "{checked}");
    }
    let file = config_file(&one.config());
    let check = larder(&["check", "--config", file.name()]).output().unwrap();
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(check.status.success() && said.contains(&one.key), "{said}");
    let secret = fs::read_to_string(&one.key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    assert!(!said.contains(secret) && !said.contains("PRIVATE"), "{said}");
}
