//! The other ways in: a socket file, and TLS.

use crate::harness::{config_file, larder};

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
