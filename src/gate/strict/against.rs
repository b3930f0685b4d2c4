//! Held against hyper: what hyper takes for one request is what was taken for one here.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{At, Strict};
use crate::chance::Chance;
use crate::gate::pulse::Pulse;
use crate::gate::watched::Watched;

const ROUNDS: usize = 20_000;

const PIECES: &[&str] = &[
    "POST /a HTTP/1.1\r\nhost: x\r\n",
    "GET /b HTTP/1.1\r\nhost: x\r\n",
    "content-length: 5\r\n",
    "content-length: 0\r\n",
    "Content-Length: 33\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: identity\r\n",
    "x-a: b\r\n",
    "expect: 100-continue\r\n",
    "connection: close\r\n",
    "\r\n",
    "hello",
    "5\r\nhello\r\n",
    "5;a=b\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nx-a: b\r\n\r\n",
    "GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n",
    "\r",
    "\n",
    " ",
    "\0",
    ":",
    ",",
    "1",
    "HTTP/1.0",
];

/// Some good requests, with a few things put in, and a few bytes taken out.
fn bytes(chance: &mut Chance) -> Vec<u8> {
    let good = [
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 33\r\n\r\nGET /hidden HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /b HTTP/1.1\r\nhost: x\r\n\r\n",
    ];
    let mut out = Vec::new();
    for _ in 0..=chance.below(3) {
        out.extend(good[chance.below(good.len())].bytes());
    }
    chance.spoil(&mut out, PIECES);
    out
}

/// How long the bodies are of the requests that are seen here, the last perhaps not to its end.
fn seen(bytes: &[u8]) -> Vec<usize> {
    let mut strict = Strict::new(1 << 16);
    let (mut bodies, mut from) = (Vec::new(), 0);
    while from < bytes.len() {
        let before = strict.at;
        let Ok(read) = strict.step(&bytes[from..]) else { break };
        from += read;
        match before {
            At::Field if strict.at != At::Field => bodies.push(0),
            At::Body(_) | At::Chunk(_) => *bodies.last_mut().unwrap() += read,
            _ => {}
        }
    }
    bodies
}

/// The same of those that hyper sees, in pieces of a size; an error is a body that was cut.
async fn taken(bytes: Vec<u8>, size: usize) -> Vec<Result<usize, ()>> {
    let (mut client, server) = duplex(1 << 16);
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let bodies = Arc::clone(&bodies);
        async move {
            let body = request.into_body().collect().await;
            let length = body.map(|body| body.to_bytes().len()).map_err(|_| ());
            bodies.lock().unwrap().push(length);
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    let io = Watched::new((TokioIo::new(server), None), &Arc::new(Pulse::new()), 1 << 16);
    let builder = Builder::new(TokioExecutor::new());
    let sending = async move {
        for piece in bytes.chunks(size) {
            if client.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(client.shutdown().await);
        drop(client.read_to_end(&mut Vec::new()).await);
    };
    drop(tokio::join!(builder.serve_connection(io, service), sending));
    let bodies = bodies.lock().unwrap();
    bodies.clone()
}

#[tokio::test]
async fn hyper_takes_for_a_request_what_was_taken_for_one_here() {
    let mut chance = Chance(0x6c61_7264_6572);
    let mut compared = 0;
    for _ in 0..ROUNDS {
        let bytes = bytes(&mut chance);
        let size = [1, 7, 24, 65_536][chance.below(4)];
        let here = seen(&bytes);
        let there = taken(bytes.clone(), size).await;
        compared += there.len();
        let text = String::from_utf8_lossy(&bytes);
        assert!(there.len() <= here.len(), "{text:?}: {there:?} where {here:?} were seen");
        for (length, body) in here.iter().zip(&there) {
            assert!(body.is_err() || body == &Ok(*length), "{text:?}: {there:?}, {here:?}");
        }
    }
    assert!(compared > ROUNDS / 2, "{compared}");
}
