//! A connection that sends exactly the bytes it is told to.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{Answer, Ask, PATIENCE};

/// Whatever carries bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Debug + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Stream for S {}

/// A connection.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    pub(crate) async fn unix(path: &Path) -> Self {
        Self::over(UnixStream::connect(path).await.unwrap())
    }

    pub(crate) fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// A request for embeddings with a length.
    pub(crate) fn embed(ask: &Ask) -> Vec<u8> {
        let body = ask.body();
        let mut request = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            ask.path,
            body.len()
        );
        for (name, value) in &ask.headers {
            request.extend([*name, ": ", value, "\r\n"]);
        }
        request += "\r\n";
        [request.into_bytes(), body].concat()
    }

    /// A request of any kind with a body of JSON.
    pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let mut request =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers.iter().chain(&[("content-type", "application/json")]) {
            request.extend([*name, ": ", *value, "\r\n"]);
        }
        (request + "\r\n" + body).into_bytes()
    }

    /// Forgets what has come so far.
    pub(crate) fn forget(&mut self) {
        self.buffer.clear();
    }

    /// What comes, until it holds this.
    pub(crate) async fn until(&mut self, part: &[u8]) -> usize {
        loop {
            if let Some(at) = find(&self.buffer, part) {
                return at + part.len();
            }
            assert!(self.more().await, "closed before {:?} came", String::from_utf8_lossy(part));
        }
    }

    /// So many bytes of those that have come and were not taken.
    pub(crate) fn seen(&self, count: usize) -> String {
        String::from_utf8_lossy(&self.buffer[..count]).into_owned()
    }

    /// Takes so many bytes.
    async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.more().await, "closed within an answer");
        }
        self.buffer.drain(..count).collect()
    }

    /// Reads on; false at the end of the stream.
    async fn more(&mut self) -> bool {
        let mut chunk = vec![0; 65_536];
        let read = timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("nothing came");
        let count = read.unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..count]);
        count > 0
    }

    /// Everything that comes until the other side closes.
    pub(crate) async fn rest(mut self) -> String {
        self.stream_ends().await;
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Waits for the end of the stream.
    pub(crate) async fn stream_ends(&mut self) {
        while self.more().await {}
    }

    /// The next answer, whole.
    pub(crate) async fn answer(&mut self) -> Answer {
        let end = self.until(b"\r\n\r\n").await;
        let head = String::from_utf8(self.take(end).await).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let length = headers.get("content-length").map(|v| v.to_str().unwrap().parse().unwrap());
        let body = match length {
            Some(length) => self.take(length).await,
            None if headers.contains_key("transfer-encoding") => self.chunks().await,
            None => Vec::new(),
        };
        Answer { status, headers, body: Bytes::from(body) }
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = self.until(b"\r\n").await;
            let size = String::from_utf8(self.take(end).await).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            body.extend(self.take(size).await);
            self.take(2).await;
            if size == 0 {
                return body;
            }
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
