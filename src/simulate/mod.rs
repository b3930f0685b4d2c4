//! The simulated provider: answers as a real one would on the wire, with a delay, limits and
//! faults of one's choice, and counts what it was asked.
//!
//! What it answers is a pure function of the question ([`oracle`]), so whoever holds an answer can
//! tell whether it is the right one. It knows nothing of caching or batching: it is what they are
//! measured against.
//!
//! One connection is one task (`connection`); one call goes through `provider` (is there room,
//! what befalls it, how long does it take) and is spelt by a provider's wire shapes (`openai`, `shapes`
//! for what others embed, `chat` for what their models say).

mod bill;
mod change;
mod chat;
mod compress;
mod connection;
mod control;
mod faults;
mod frames;
mod invoice;
mod openai;
pub mod oracle;
mod pace;
mod prompt_cache;
mod provider;
mod reply;
mod settings;
mod shapes;
mod stats;
mod tally;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

/// What contains this is refused, and with it the whole call.
const POISON: &str = "__poison__";

pub use self::faults::Faults;
pub use self::settings::{Settings, duration, share};
pub use self::stats::Snapshot;

use self::provider::Provider;

/// How long open exchanges may go on after the stop.
const GRACE: Duration = Duration::from_secs(1);
/// How long to wait after a refused accept: out of descriptors, it would be refused again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// So many refused accepts in a row mean that the listener itself is broken.
const ACCEPT_FAILURES: u32 = 500;

/// Serves HTTP/1.1 and HTTP/2 without TLS on `listener` until `stop` is ready, then lets open
/// exchanges finish for a second.
///
/// Fails if the listener keeps refusing to accept.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let provider = Arc::new(Provider::new(settings));
    let (running, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                failures = 0;
                connections.spawn(connection::run(stream, Arc::clone(&provider), stopped.clone()));
            }
            Err(error) if failures >= ACCEPT_FAILURES => return Err(error),
            Err(_) => {
                failures += 1;
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(running);
    let drained = async { while connections.join_next().await.is_some() {} };
    // Whatever is left, such as a call that never answers, ends when the set is dropped.
    time::timeout(GRACE, drained).await.ok();
    Ok(())
}
