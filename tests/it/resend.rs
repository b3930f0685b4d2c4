//! Requests that a provider has not processed are sent again, and bytes that belong to no request are
//! nobody's response.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, frame,
};
use crate::harness::{Aside, Ask, Asked, Raw, Sidecar, Spoken, all, answer, texts};

/// An error code of RFC 9113, section 7.
const REFUSED_STREAM: u32 = 7;

/// A provider of HTTP/2, as far as a test needs it.
struct Frames<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    async fn start(mut stream: S) -> Self {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let mut frames = Self(stream);
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.write_all(&frame(kind, flags, stream, payload)).await.unwrap();
    }

    /// The next request's stream and body, once all of it has come; `None` at the end.
    async fn request(&mut self, bodies: &mut HashMap<u32, Vec<u8>>) -> Option<(u32, Vec<u8>)> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
            self.0.read_exact(&mut payload).await.ok()?;
            let stream = u32::from_be_bytes(stream);
            match kind {
                SETTINGS if flags == 0 => self.send(SETTINGS, 1, 0, &[]).await,
                HEADERS => drop(bodies.entry(stream).or_default()),
                DATA => bodies.entry(stream).or_default().extend(payload),
                _ => {}
            }
            if [HEADERS, DATA].contains(&kind) && flags & END_STREAM != 0 {
                return Some((stream, bodies.remove(&stream).unwrap()));
            }
        }
    }

    /// Answers a request for embeddings: `:status` 200 and a content type, by RFC 7541.
    async fn respond(&mut self, stream: u32, body: Vec<u8>) {
        let media_type = b"application/json";
        let field = [0x0f, 0x10, u8::try_from(media_type.len()).unwrap()];
        let block = [&[0x88][..], &field, media_type].concat();
        self.send(HEADERS, END_HEADERS, stream, &block).await;
        self.send(DATA, END_STREAM, stream, right(body).as_bytes()).await;
    }
}

/// The right answer to the body of a request for embeddings.
fn right(body: Vec<u8>) -> String {
    let (method, headers) = (Method::POST, HeaderMap::new());
    let asked = Asked { method, path: String::new(), headers, body: body.into(), number: 0 };
    answer(&asked).to_string()
}

/// Asks for different texts of different models side by side; every answer must be right.
async fn ask_side_by_side(sidecar: &Sidecar, count: usize) {
    let asking = texts("side by side", count).into_iter().map(|text| {
        let client = sidecar.client();
        let ask = Ask { model: text.clone(), ..Ask::of([text]) }.path("/secure/v1/embeddings");
        async move { client.right(&ask).await }
    });
    all(asking.collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn streams_that_a_provider_refused_became_502() {
    let provider = Spoken::start("h2", |stream, _| async move {
        let (mut frames, mut bodies) = (Frames::start(stream).await, HashMap::new());
        let mut refused = 0;
        while let Some((stream, body)) = frames.request(&mut bodies).await {
            if refused < 20 {
                refused += 1;
                frames.send(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes()).await;
            } else {
                frames.respond(stream, body).await;
            }
        }
    })
    .await;
    let config = provider.config("retry_percent = 0\nbreaker_failures = 1\n");
    let sidecar = Sidecar::with(([127, 0, 0, 1], 9).into(), &config);
    ask_side_by_side(&sidecar, 20).await;
}

#[tokio::test]
async fn streams_beyond_the_last_one_of_a_goaway_became_502() {
    let provider = Spoken::start("h2", |stream, number| async move {
        let (mut frames, mut bodies) = (Frames::start(stream).await, HashMap::new());
        let (mut processed, mut waiting) = (None, 0);
        while let Some((stream, body)) = frames.request(&mut bodies).await {
            if number > 0 || processed.is_none() {
                frames.respond(stream, body).await;
                processed = Some(stream);
                continue;
            }
            waiting += 1;
            if waiting == 4 {
                // None of those that wait was processed.
                let last = [processed.unwrap().to_be_bytes(), [0; 4]].concat();
                frames.send(GOAWAY, 0, 0, &last).await;
            }
        }
    })
    .await;
    let config = provider.config("retry_percent = 0\nbreaker_failures = 1\n");
    let sidecar = Sidecar::with(([127, 0, 0, 1], 9).into(), &config);
    // The others share its connection.
    ask_side_by_side(&sidecar, 1).await;
    ask_side_by_side(&sidecar, 11).await;
}

/// Reads one request over HTTP/1.1, whose body is empty or JSON; `None` at the end.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Bytes> {
    let mut read = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if head.starts_with("GET") || body.ends_with('}') || body.ends_with("0\r\n\r\n") {
            return Some(body.as_bytes().to_vec().into());
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// A provider without TLS, each of whose connections is held by what `converse` does with it.
async fn plain<S: Future<Output = ()> + Send + 'static>(
    converse: impl Fn(TcpStream) -> S + Send + 'static,
) -> (SocketAddr, Aside<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Aside::start(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(converse(stream));
        }
    });
    (address, serving)
}

/// Answers the first request of each connection, and closes it when the second has come.
async fn close_on_the_second(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if request(&mut stream).await.is_some() {
        let whole = format!("{OK}content-length: 2\r\n\r\n{{}}");
        stream.write_all(whole.as_bytes()).await.unwrap();
        request(&mut stream).await;
    }
}

#[tokio::test]
async fn an_idempotent_request_on_a_connection_that_was_just_closed_was_502() {
    let secure = Spoken::start("http/1.1", |stream, _| close_on_the_second(stream)).await;
    let (address, _plain) = plain(close_on_the_second).await;
    let sidecar = Sidecar::with(address, &secure.config("breaker_failures = 1\n"));
    let client = sidecar.client();
    for path in ["/v1/files", "/secure/v1/files"] {
        for _ in 0..5 {
            let got = client.get(path).await;
            assert_eq!(got.status, 200, "{path}: {got:?}");
        }
    }
}

#[tokio::test]
async fn a_length_beside_chunks_cut_an_answer_silently() {
    async fn both_framings(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while request(&mut stream).await.is_some() {
            let body = "x".repeat(481);
            let head = format!("{OK}content-length: 30\r\ntransfer-encoding: chunked\r\n\r\n");
            let whole = format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            stream.write_all(whole.as_bytes()).await.unwrap();
        }
    }
    let secure = Spoken::start("http/1.1", |stream, _| both_framings(stream)).await;
    let (address, _plain) = plain(both_framings).await;
    let sidecar = Sidecar::with(address, &secure.config(""));
    for path in ["/v1/files", "/secure/v1/files"] {
        let mut client = Raw::connect(sidecar.proxy).await;
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        client.send(head).await;
        assert_eq!(client.answer().await.body.len(), 481, "{path}");
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send(head + "2\r\n{}\r\n0\r\n\r\n").await;
        assert_eq!(client.answer().await.body.len(), 481, "{path}, relayed");
    }
}

#[tokio::test]
async fn bytes_that_came_unasked_were_the_next_callers_answer() {
    /// Sends a response that no request asked for, a moment after each that one did.
    async fn poison(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while let Some(body) = request(&mut stream).await {
            let body = right(body.to_vec());
            let whole = format!("{OK}content-length: {}\r\n\r\n{body}", body.len());
            let unasked = format!("{OK}content-length: 6\r\n\r\npoison");
            stream.write_all(whole.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(20)).await;
            if stream.write_all(unasked.as_bytes()).await.is_err() {
                return;
            }
        }
    }
    let secure = Spoken::start("http/1.1", |stream, _| poison(stream)).await;
    let sidecar = Sidecar::with(([127, 0, 0, 1], 9).into(), &secure.config(""));
    let mut client = Raw::connect(sidecar.proxy).await;
    let mut texts = texts("poisoned", 80).into_iter();
    while let (Some(first), Some(second)) = (texts.next(), texts.next()) {
        let asks = [first, second].map(|text| Ask::of([text]).path("/secure/v1/embeddings"));
        client.send(Raw::embed(&asks[0])).await;
        asks[0].check(&client.answer().await);
        // The unasked bytes and the next request wait for the sidecar side by side.
        sidecar.signal("STOP");
        sleep(Duration::from_millis(30)).await;
        client.send(Raw::embed(&asks[1])).await;
        sleep(Duration::from_millis(5)).await;
        sidecar.signal("CONT");
        asks[1].check(&client.answer().await);
        // What comes unasked behind a request cannot be told from its response.
        sleep(Duration::from_millis(30)).await;
    }
}
