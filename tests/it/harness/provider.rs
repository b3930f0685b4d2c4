//! The simulated provider, in this process and on a thread of its own.

use std::net::SocketAddr;
use std::thread;

use larder::simulate::{self, Settings, Snapshot};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::{Client, DIMENSIONS};

/// A simulated provider that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) address: SocketAddr,
    client: Client,
    _stop: oneshot::Sender<()>,
}

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Simulated {
    pub(crate) fn start(settings: Settings) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), settings)
    }

    /// Where somebody looks for one already.
    pub(crate) fn at(address: SocketAddr, settings: Settings) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                simulate::serve(listener, settings, async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { address, client: Client::new(address), _stop: stop }
    }

    /// Short vectors, no delay.
    pub(crate) fn instant() -> Self {
        Self::start(Settings { dimensions: DIMENSIONS, ..Settings::instant() })
    }

    pub(crate) async fn stats(&self) -> Snapshot {
        serde_json::from_slice(&self.client.get("/__stats").await.body).unwrap()
    }
}
