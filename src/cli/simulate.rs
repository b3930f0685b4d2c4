//! `larder simulate`: the simulated provider alone.

use std::future::pending;
use std::io;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, say};
use crate::simulate::{self, Settings};

const DEFAULT_ADDRESS: &str = "127.0.0.1:9000";

/// The options of the simulated provider.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Address to listen on; port 0 picks a free port
    #[arg(
        long,
        env = "LARDER_SIMULATE_LISTEN",
        value_name = "ADDR",
        default_value = DEFAULT_ADDRESS
    )]
    listen: String,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::Running(e.to_string()))?;
    runtime.block_on(serve(args))
}

impl Args {
    /// The address; an empty variable counts as not set.
    fn address(&self) -> &str {
        if self.listen.is_empty() { DEFAULT_ADDRESS } else { &self.listen }
    }
}

async fn serve(args: Args) -> Result<(), Failure> {
    let listen = args.address().to_owned();
    let wrong = |error: io::Error| Failure::Running(format!("cannot listen on {listen}: {error}"));
    let listener = TcpListener::bind(&listen).await.map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    let told = until_signal();
    say(&format_args!("listening provider={address}"));
    simulate::serve(listener, args.settings, told).await.map_err(wrong)
}

/// Until somebody ends it, from this call on.
pub(super) fn until_signal() -> impl Future<Output = ()> {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let [Ok(mut terminate), Ok(mut interrupt)] = signals else {
            return pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
