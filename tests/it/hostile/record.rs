//! What a provider gets, byte for byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Aside, Simulated};

/// A way to a provider on which everything is written down that goes to it.
pub(super) struct Recorder {
    pub(super) address: SocketAddr,
    _provider: Simulated,
    bytes: Arc<Mutex<Vec<u8>>>,
    _carrying: Aside<()>,
}

impl Recorder {
    pub(super) async fn before(provider: Simulated) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (bytes, to) = (Arc::new(Mutex::new(Vec::new())), provider.address);
        let written = Arc::clone(&bytes);
        let carrying = Aside::start(async move {
            let mut ways = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                ways.spawn(carry(client, to, Arc::clone(&written)));
            }
        });
        Self { address, _provider: provider, bytes, _carrying: carrying }
    }

    /// How much has come so far.
    pub(super) fn mark(&self) -> usize {
        self.bytes.lock().unwrap().len()
    }

    pub(super) fn since(&self, mark: usize) -> Vec<u8> {
        self.bytes.lock().unwrap()[mark..].to_vec()
    }

    /// The bodies of the requests since then; an error if one of them is not as it must be.
    pub(super) fn requests(&self, mark: usize) -> Result<Vec<Vec<u8>>, String> {
        let bytes = self.since(mark);
        let mut rest = &bytes[..];
        let mut bodies = Vec::new();
        while !rest.is_empty() {
            let (body, after) = self
                .request(rest)
                .ok_or_else(|| format!("the provider got {:?}", String::from_utf8_lossy(&bytes)))?;
            bodies.push(body);
            rest = after;
        }
        Ok(bodies)
    }

    /// One request: of a known version, with this provider's host, framed in one way.
    fn request<'b>(&self, bytes: &'b [u8]) -> Option<(Vec<u8>, &'b [u8])> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, rest) = bytes.split_at(end);
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let words: Vec<&str> = lines.next()?.split(' ').collect();
        let fields: Vec<(&str, &str)> =
            lines.map(|line| line.split_once(": ")).collect::<Option<_>>()?;
        let named = |name: &str| {
            let values = fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            values.map(|(_, value)| *value).collect::<Vec<_>>()
        };
        let is_clean = words.len() == 3
            && words[1].starts_with("/v1")
            && words[2] == "HTTP/1.1"
            && !head.contains(['\0', '\x7f'])
            && !head.replace("\r\n", "").contains(['\r', '\n'])
            && named("host") == [self.address.to_string()];
        if !is_clean {
            return None;
        }
        let rest = &rest[4..];
        match (&named("content-length")[..], &named("transfer-encoding")[..]) {
            ([], []) => Some((Vec::new(), rest)),
            ([length], []) => {
                let length = length.parse().ok()?;
                Some((rest.get(..length)?.to_vec(), &rest[length..]))
            }
            ([], ["chunked"]) => chunks(rest),
            _ => None,
        }
    }
}

fn chunks(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        let data = &rest[end + 2..];
        body.extend(data.get(..size)?);
        rest = data[size..].strip_prefix(b"\r\n")?;
        if size == 0 {
            return Some((body, rest));
        }
    }
}

async fn carry(mut client: TcpStream, to: SocketAddr, bytes: Arc<Mutex<Vec<u8>>>) {
    let mut provider = TcpStream::connect(to).await.unwrap();
    client.set_nodelay(true).unwrap();
    provider.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = client.split();
    let (mut from_provider, mut to_provider) = provider.split();
    let there = async {
        let mut piece = vec![0; 65_536];
        while let Ok(count @ 1..) = from_client.read(&mut piece).await {
            bytes.lock().unwrap().extend(&piece[..count]);
            if to_provider.write_all(&piece[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = there => {}
        _ = tokio::io::copy(&mut from_provider, &mut to_client) => {}
    }
}
