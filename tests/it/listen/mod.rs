//! The other ways in: a socket file, sockets that are there before larder, and TLS.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use crate::harness::{Aside, Raw, config_file, larder};
use crate::life::ask_twice_on;

mod inherited;
mod tls;
mod unix;

/// The exit code and the words of a sidecar that does not start.
fn refused(config: &str) -> (Option<i32>, String) {
    let file = config_file(config);
    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let mut serve = larder(&["serve", "--config", file.name()]);
    let output = serve.args(listen).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// An answer comes in its pieces over a connection: the second once the provider is told to go on.
async fn streams_on(mut connection: Raw, go_on: oneshot::Sender<()>) {
    connection.send(Raw::post("/v1/chat/completions", &[], "{}")).await;
    connection.until(b"data: one\n\n").await;
    go_on.send(()).unwrap();
    connection.until(b"data: two\n\n").await;
    assert_eq!(connection.answer().await.text(), "data: one\n\nxdata: two\n\n");
}

/// Asks at a socket file until it is told to stop; in the end, how many questions that were.
fn ask_on(socket: &Path) -> (Aside<usize>, Arc<AtomicBool>) {
    let (stop, place) = (Arc::new(AtomicBool::new(false)), socket.to_owned());
    let stopping = Arc::clone(&stop);
    let asking = Aside::start(async move {
        let mut asked = 0;
        // Also where the hand-over is over before so many were asked.
        while !stopping.load(Ordering::Relaxed) || asked <= 100 {
            asked += ask_twice_on(Raw::unix(&place).await, asked).await;
        }
        asked
    });
    (asking, stop)
}
