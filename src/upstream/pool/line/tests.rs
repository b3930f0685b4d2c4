//! Held against hyper: what hyper takes for an answer is what is taken for one here.

use std::future::poll_fn;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::chance::Chance;

const ROUNDS: usize = 30_000;

const GOOD: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
    "HTTP/1.1 200\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3 \r\nabc\r\n0\r\nx-a: b\r\nx-c:d\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n",
    "HTTP/1.0 404 Not Found\r\nserver: x\r\n\r\nto the end",
    "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    "\r\nHTTP/1.1 200 A long reason\ncontent-length: 2, 2\nconnection: close\n\nab",
];

const PIECES: &[&str] = &[
    "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
    "HTTP/1.0",
    "content-length: 5\r\n",
    "content-length: 7\r\n",
    "content-length: 18446744073709551615\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: identity\r\n",
    "connection: keep-alive, x\r\n",
    "x-empty:\r\n",
    " folded\r\n",
    "\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "ffffffffffffffff1\r\n",
    "\r",
    "\n",
    " ",
    "\t",
    "\0",
    ":",
    ";",
    "0",
    "9",
    "\u{e9}",
];

/// A good answer, with a few things put in, and a few bytes taken out.
fn bytes(chance: &mut Chance) -> Vec<u8> {
    let mut out = GOOD[chance.below(GOOD.len())].as_bytes().to_vec();
    chance.spoil(&mut out, PIECES);
    out
}

/// An answer's status, fields, data and trailers; of one that is cut, what came before.
#[derive(Debug, PartialEq, Default)]
struct Taken {
    status: Option<StatusCode>,
    headers: HeaderMap,
    data: Vec<u8>,
    trailers: HeaderMap,
    is_whole: bool,
}

impl Taken {
    fn of(response: &Response<()>) -> Self {
        let (status, headers) = (Some(response.status()), response.headers().clone());
        Self { status, headers, ..Self::default() }
    }

    fn with<E>(&mut self, frame: Option<Result<Frame<Bytes>, E>>) -> bool {
        self.is_whole = frame.is_none();
        match frame {
            Some(Ok(frame)) => {
                match frame.into_data() {
                    Ok(data) => self.data.extend(data),
                    Err(frame) => self.trailers = frame.into_trailers().unwrap(),
                }
                true
            }
            _ => false,
        }
    }
}

/// Says this when it was asked something, in pieces of a size, and closes.
async fn says(mut server: DuplexStream, bytes: &[u8], size: usize) {
    let mut asked = [0; 1024];
    assert!(server.read(&mut asked).await.unwrap() > 0);
    for piece in bytes.chunks(size) {
        if server.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

fn asked(method: &Method) -> Asked {
    // Of all tests the same, so that most heads have names that are known.
    static NAMES: LazyLock<Arc<Names>> = LazyLock::new(Arc::default);
    let to = (method, &Uri::from_static("http://a:80/b?c"));
    Asked::new(to, &HeaderMap::new(), Bytes::new(), &NAMES)
}

async fn here(method: &Method, bytes: &[u8], size: usize) -> Taken {
    let (client, server) = duplex(1 << 16);
    let taking = async move {
        let mut line = Line::new(TokioIo::new(client));
        let Ok(response) = line.exchange(&asked(method)).await else { return Taken::default() };
        let mut taken = Taken::of(&response);
        while taken.with(poll_fn(|context| line.poll_frame(context)).await) {}
        taken
    };
    tokio::join!(taking, says(server, bytes, size)).0
}

async fn there(method: &Method, bytes: &[u8], size: usize) -> Taken {
    let (client, server) = duplex(1 << 16);
    let (mut sender, connection) = http1::handshake(TokioIo::new(client)).await.unwrap();
    let taking = async move {
        let request = http::Request::builder().method(method).body(Empty::<Bytes>::new()).unwrap();
        let Ok(response) = sender.send_request(request).await else { return Taken::default() };
        let (head, mut body) = response.into_parts();
        let mut taken = Taken::of(&Response::from_parts(head, ()));
        while taken.with(body.frame().await) {}
        taken
    };
    let driving = async { drop(connection.await) };
    tokio::join!(taking, driving, says(server, bytes, size)).0
}

#[tokio::test]
async fn hyper_takes_for_an_answer_what_is_taken_for_one_here() {
    let mut chance = Chance(0x6c61_7264_6572);
    let (mut whole, mut stricter) = (0, 0);
    for _ in 0..ROUNDS {
        let bytes = bytes(&mut chance);
        let size = [1, 7, 24, 65_536][chance.below(4)];
        let method = if chance.below(8) == 0 { Method::HEAD } else { Method::GET };
        let mut here = here(&method, &bytes, size).await;
        let mut there = there(&method, &bytes, size).await;
        // hyper leaves a length that says nothing.
        for taken in [&mut here, &mut there] {
            if taken.headers.contains_key(header::TRANSFER_ENCODING) {
                taken.headers.remove(header::CONTENT_LENGTH);
            }
        }
        whole += usize::from(here.is_whole);
        if !here.is_whole && there.is_whole && there.data.starts_with(&here.data) {
            // hyper takes line feeds among trailers that are the end of no line.
            stricter += 1;
            continue;
        }
        assert_eq!(here, there, "{method}, {size}: {:?}", String::from_utf8_lossy(&bytes));
    }
    assert!(whole > ROUNDS / 4 && stricter < ROUNDS / 500, "{whole}, {stricter}");
}

/// A connection that was asked something, and the other end of it.
async fn told(says: &str) -> (Line<TokioIo<DuplexStream>>, DuplexStream, Vec<u8>) {
    let (client, mut server) = duplex(1 << 16);
    let mut line = Line::new(TokioIo::new(client));
    server.write_all(says.as_bytes()).await.unwrap();
    line.exchange(&asked(&Method::GET)).await.ok().unwrap();
    let mut data = Vec::new();
    while let Some(Ok(frame)) = poll_fn(|context| line.poll_frame(context)).await {
        data.extend(frame.into_data().unwrap_or_default());
    }
    (line, server, data)
}

#[tokio::test]
async fn a_connection_carries_another_request_where_its_end_is_known() {
    for (says, is_kept) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", true),
        ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nab", true),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab", false),
        ("HTTP/1.1 200 OK\r\nconnection: x, close\r\ncontent-length: 2\r\n\r\nab", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nHTTP", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\nx", false),
    ] {
        let (line, _server, data) = told(says).await;
        assert_eq!(data, b"ab", "{says:?}");
        assert_eq!(line.is_done(), is_kept, "{says:?}");
    }
}

#[tokio::test]
async fn the_rest_of_a_request_goes_out_while_its_answer_comes() {
    let (client, mut server) = duplex(1 << 10);
    let mut line = Line::new(TokioIo::new(client));
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    let asked = Asked::new(
        (&Method::POST, &Uri::from_static("http://a/b")),
        &HeaderMap::new(),
        body.clone(),
        &Arc::default(),
    );
    let asking = async move {
        let response = line.exchange(&asked).await.ok().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!line.is_done());
        let frame = poll_fn(|context| line.poll_frame(context)).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "ab");
        assert!(line.is_done());
    };
    let answering = async move {
        let mut taken = vec![0; 100];
        server.read_exact(&mut taken).await.unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        while !taken.ends_with(&body) {
            assert!(server.read_buf(&mut taken).await.unwrap() > 0);
        }
        server.write_all(b"ab").await.unwrap();
        assert!(
            taken.starts_with(b"POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 1048576\r\n\r\nx")
        );
        server
    };
    tokio::join!(asking, answering);
}
