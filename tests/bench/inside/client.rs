//! A client that allocates nothing while it asks.

use std::str;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::PIPE;

const LENGTH: &[u8] = b"\r\ncontent-length: ";
const END: &[u8] = b"\r\n\r\n";

/// A connection, seen from its client.
pub struct Client {
    pipe: DuplexStream,
    buffer: Vec<u8>,
    served: JoinHandle<()>,
}

impl Client {
    pub(super) fn new(pipe: DuplexStream, served: JoinHandle<()>) -> Self {
        Self { pipe, buffer: Vec::with_capacity(PIPE), served }
    }

    /// One exchange: the answer's head and body, as they came.
    pub async fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.pipe.write_all(request).await.expect("it reads");
        self.buffer.clear();
        let mut whole = None;
        while whole.is_none_or(|whole| self.buffer.len() < whole) {
            let more = self.pipe.read_buf(&mut self.buffer).await.expect("it writes");
            assert!(more > 0, "the connection ended before the answer");
            whole = whole.or_else(|| size(&self.buffer));
        }
        &self.buffer
    }

    /// Leaves, and waits until nothing of the connection is left.
    pub async fn leave(self) {
        drop(self.pipe);
        self.served.await.expect("it does not panic");
    }
}

/// How long an answer is, once its head is there.
fn size(answer: &[u8]) -> Option<usize> {
    let head = &answer[..memmem::find(answer, END)?];
    let length = &head[memmem::find(head, LENGTH)? + LENGTH.len()..];
    let digits = length.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length: usize = str::from_utf8(&length[..digits]).ok()?.parse().ok()?;
    Some(head.len() + END.len() + length)
}
