//! A provider whose every answer is written by the test, and that remembers every call.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use larder::simulate::oracle;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::provider::runtime;
use super::{Client, DIMENSIONS, In, encode_numbers, until};

/// How many calls a provider remembers.
const REMEMBERED: usize = 20_000;

/// One call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) number: usize,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn inputs(&self) -> Vec<In> {
        match &self.json()["input"] {
            Value::Array(list) if list.iter().all(Value::is_u64) => {
                vec![In::of(&Value::Array(list.clone()))]
            }
            Value::Array(list) => list.iter().map(In::of).collect(),
            Value::Null => Vec::new(),
            one => vec![In::of(one)],
        }
    }

    /// Whether a text of the call contains this.
    pub(crate) fn holds(&self, part: &str) -> bool {
        let has = |input: &In| matches!(input, In::Text(text) if text.contains(part));
        self.inputs().iter().any(has)
    }

    pub(crate) fn credential(&self) -> String {
        let value = self.headers.get("authorization");
        value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }
}

/// What a call gets: an answer, or a connection that is cut.
pub(crate) type Say = Option<Response<Full<Bytes>>>;

type Saying = Pin<Box<dyn Future<Output = Say> + Send>>;
type Script = dyn Fn(Asked) -> Saying + Send + Sync;

/// A scripted provider that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<Asked>>>,
    _stop: oneshot::Sender<()>,
}

impl Scripted {
    /// A provider whose good answers wait at a gate.
    pub(crate) fn behind(gate: &Gate) -> Self {
        let gate = gate.clone();
        Self::start(move |asked| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Some(json(200, &answer(&asked)))
            }
        })
    }

    pub(crate) fn start<F, S>(script: F) -> Self
    where
        F: Fn(Asked) -> S + Send + Sync + 'static,
        S: Future<Output = Say> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let stage = Stage {
            script: Arc::new(move |asked| Box::pin(script(asked))),
            calls: Arc::clone(&calls),
        };
        thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = stage.play(listener) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, calls, _stop: stop }
    }

    pub(crate) fn calls(&self) -> Vec<Asked> {
        self.calls.lock().unwrap().clone()
    }

    /// The calls after so many.
    pub(crate) fn calls_after(&self, count: usize) -> Vec<Asked> {
        self.calls.lock().unwrap()[count..].to_vec()
    }

    /// Waits until so many calls have come.
    pub(crate) async fn called(&self, times: usize) {
        until("the provider is called", || async { self.calls.lock().unwrap().len() >= times })
            .await;
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }
}

#[derive(Clone)]
struct Stage {
    script: Arc<Script>,
    calls: Arc<Mutex<Vec<Asked>>>,
}

impl Stage {
    async fn play(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(self.clone().converse(stream));
            while connections.try_join_next().is_some() {}
        }
    }

    async fn converse(self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let service = service_fn(move |request| self.clone().exchange(request));
        let builder = auto::Builder::new(TokioExecutor::new());
        // A peer that leaves, or a connection that is cut, is nothing to report.
        drop(builder.serve_connection(TokioIo::new(stream), service).await);
    }

    async fn exchange(self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (Parts { method, uri, headers, .. }, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let asked = {
            let mut calls = self.calls.lock().unwrap();
            let (path, number) = (uri.to_string(), calls.len());
            let asked = Asked { method, path, headers, body, number };
            if number < REMEMBERED {
                calls.push(asked.clone());
            }
            asked
        };
        (self.script)(asked).await.ok_or_else(|| io::Error::other("cut"))
    }
}

/// Holds calls back until the test lets them go.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn open(&self) {
        self.0.add_permits(100_000);
    }

    pub(crate) async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Full::new(body.to_string().into())).unwrap()
}

/// The right answer to a call for embeddings.
pub(crate) fn answer(asked: &Asked) -> Value {
    let call = asked.json();
    let model = call["model"].as_str().unwrap();
    let dimensions =
        call["dimensions"].as_u64().map_or(DIMENSIONS, |n| usize::try_from(n).unwrap());
    let inputs = asked.inputs();
    let item = |(index, input): (usize, &In)| {
        let vector = oracle::vector(model, dimensions, input.as_input());
        let embedding = encode_numbers(&vector, call["encoding_format"] == "base64");
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(item).collect();
    let tokens: u64 = inputs.iter().map(|input| oracle::tokens(input.as_input())).sum();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    json!({ "object": "list", "data": data, "model": model, "usage": usage })
}
