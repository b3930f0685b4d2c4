//! Larder inside this process, on one thread: what its server builds behind the gate's own door, before
//! the simulated provider on loopback.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "who measures uses a part of it, and what goes wrong in it may well end that"
)]

pub mod client;
pub mod question;

use std::future::pending;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use larder::ceiling::Ceiling;
use larder::config::Config;
use larder::gate::connection::Door;
use larder::gate::route::Routes;
use larder::gate::{Current, Entrance, Express, Pages, Proxy};
use larder::metrics::{Metrics, Operation};
use larder::server::{self, Built};
use larder::simulate::{self, Settings};
use larder::upstream::Upstream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;

use client::Client;

/// What a pipe holds, and its client: more than any answer that is asked for here, and so little that
/// the allocator need not ask the kernel for it.
const PIPE: usize = 96 << 10;

/// Larder without its listeners.
pub struct Sidecar {
    pub built: Built,
    pub upstream: Arc<Upstream>,
    current: Arc<Current>,
    door: Door,
    draining: watch::Sender<bool>,
}

/// Who answers on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// hyper, every request.
    Hyper,
    /// hyper, until a head comes again.
    Express,
}

impl Sidecar {
    /// At the defaults, on the runtime that this is called in.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        Handle::current().spawn(simulate::serve(listener, Settings::instant(), pending()));
        let file = format!("[providers.openai]\nbase_url = \"http://{address}/v1\"\n");
        let config = Config::read("bench", &file, &[]).expect("valid");
        let built = server::build(&config).expect("it can be built");
        let upstream = Arc::clone(&built.upstreams["openai"]);
        let current = Arc::new(Current::new(proxy(&config, &built)));
        let door = Door::new(&config.server, built.service.chat.tasks.clone());
        let (draining, _) = watch::channel(false);
        Self { built, upstream, current, door, draining }
    }

    /// A new connection, over a pipe in memory.
    pub fn connect(&self, way: Way) -> Client {
        let (near, far) = duplex(PIPE);
        let express = (way == Way::Express).then(|| Express::new(&self.current, Entrance::Tcp));
        let (door, draining) = (self.door.clone(), self.draining.subscribe());
        let current = Arc::clone(&self.current);
        let served = Handle::current().spawn(async move {
            let serve = move |request| current.get().exchange(request, Entrance::Tcp);
            door.serve((TokioIo::new(far), express), draining, serve).await;
        });
        Client::new(near, served)
    }
}

/// The proxy as the server makes it at the defaults, with series of its own.
fn proxy(config: &Config, built: &Built) -> Proxy {
    let metrics = Metrics::new().expect("fresh");
    let series = |operation| Arc::new(metrics.operation(operation));
    let default = Arc::clone(&built.upstreams[&config.server.default_provider]);
    Proxy {
        service: Arc::clone(&built.service),
        allowed: None,
        pages: Pages::new(config, false),
        routes: Routes::new(built.upstreams.clone(), default),
        rules: Arc::default(),
        bodies: Ceiling::new(config.server.max_in_flight.as_usize()),
        answers: Ceiling::new(config.server.max_answers.as_usize()),
        settings: config.server.clone(),
        embed: series(Operation::Embed),
        chat: series(Operation::Chat),
        read: series(Operation::Read),
        relay: series(Operation::Relay),
        log_requests: config.log.requests,
        recordings: None,
        recent: Arc::default(),
        tracer: None,
        panics: metrics.panics.clone(),
        tasks: built.service.chat.tasks.clone(),
    }
}

/// A client of somebody who answers the same, whatever is asked: what the client itself costs.
pub fn parrot(answer: &[u8]) -> Client {
    let (near, far) = duplex(PIPE);
    Client::new(near, Handle::current().spawn(repeat(far, answer.to_vec())))
}

async fn repeat(mut pipe: DuplexStream, answer: Vec<u8>) {
    let mut asked = vec![0; PIPE];
    while pipe.read(&mut asked).await.expect("it writes") > 0 {
        pipe.write_all(&answer).await.expect("it reads");
    }
}
