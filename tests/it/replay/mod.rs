//! What is recorded of providers, and a sidecar that answers from it and calls nobody.

mod embeddings;
mod files;
mod others;
mod run;
mod words;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use http::Method;

use crate::harness::{Answer, Client, Sidecar, path};

const CHAT: &str = "/v1/chat/completions";

/// A folder for a recording, which is removed when this is dropped.
#[derive(Debug)]
struct Recording(PathBuf);

impl Recording {
    fn new() -> Self {
        Self(path("recording"))
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn config(&self, mode: &str) -> String {
        format!("[server]\nmode = \"{mode}\"\nrecordings = \"{}\"\n", self.name())
    }

    fn record(&self, provider: SocketAddr) -> Sidecar {
        Sidecar::with(provider, &self.config("record"))
    }

    fn replay(&self) -> Replay {
        self.replay_with("")
    }

    fn replay_with(&self, more: &str) -> Replay {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
        nobody.set_nonblocking(true).unwrap();
        let config = self.config("replay") + more;
        Replay { sidecar: Sidecar::with(nobody.local_addr().unwrap(), &config), nobody }
    }

    /// The files of answers or of inputs, by their names.
    fn files(&self, below: &str) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.0.join(below)).unwrap();
        let mut files: Vec<PathBuf> = folder.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    fn answers(&self) -> Vec<PathBuf> {
        self.files("answers")
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A sidecar that replays, before a provider that is not to be called.
struct Replay {
    sidecar: Sidecar,
    nobody: TcpListener,
}

impl Replay {
    fn client(&self) -> Client {
        self.sidecar.client()
    }

    /// Nobody has so much as connected to the provider.
    fn called_nobody(&self) {
        assert!(self.nobody.accept().is_err(), "the provider was connected to");
    }
}

/// Ends a sidecar in order, so that all is written.
async fn finish(mut sidecar: Sidecar) {
    sidecar.signal("TERM");
    assert!(sidecar.ended().await.success(), "{}", sidecar.log());
    let log = sidecar.log();
    assert!(!log.contains("cannot write a recording"), "{log}");
}

async fn post(client: &Client, path: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("authorization", "Bearer k")];
    client.send(Method::POST, path, &headers, body.to_owned()).await
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
