//! A small store: namespaces of keys, each with the number of times that it was written. Where a test wants
//! it, everything takes a while before and after it happens.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{Asked, Chance, Say, Scripted, json as answer};

#[derive(Debug, Clone, Default)]
struct Keys(Arc<Mutex<HashMap<(String, String), u64>>>);

/// A running store.
pub(super) struct Store {
    scripted: Scripted,
    keys: Keys,
}

impl Store {
    pub(super) fn start() -> Self {
        Self::slow(0, 0)
    }

    /// It takes up to so many milliseconds to do a thing, and again to tell of it; of a hundred writes it
    /// breaks off so many, done or not.
    pub(super) fn slow(milliseconds: u64, cuts: u64) -> Self {
        let keys = Keys::default();
        let (inside, chance) = (keys.clone(), Arc::new(Mutex::new(Chance::new())));
        let scripted = Scripted::start(move |asked| {
            let keys = inside.clone();
            let mut chance = chance.lock().unwrap().another();
            async move {
                let mut pause =
                    async || sleep(Duration::from_millis(chance.below(milliseconds + 1))).await;
                pause().await;
                let said = keys.carry_out(&asked);
                pause().await;
                let is_cut = asked.method != "GET"
                    && asked.path.ends_with("/set")
                    && chance.below(100) < cuts;
                (!is_cut).then_some(said).flatten()
            }
        });
        Self { scripted, keys }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.scripted.address
    }

    pub(super) fn calls(&self) -> Vec<Asked> {
        self.scripted.calls()
    }

    /// Somebody writes who does not pass through larder.
    pub(super) fn write_beside(&self, namespace: &str, key: &str) {
        self.keys.write(namespace, key);
    }
}

impl Keys {
    /// `/c/NAMESPACE/get`, `/c/NAMESPACE/keys/KEY` and `/get` read; `/everything` counts; everything else
    /// writes.
    fn carry_out(&self, asked: &Asked) -> Say {
        let body = asked.json();
        let path = asked.path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = text(&body["key"]);
        let version = match parts.as_slice() {
            ["c", namespace, "get"] => self.read(namespace, &key),
            ["c", namespace, "keys", key] if asked.method == "GET" => self.read(namespace, key),
            ["get"] => self.read(&text(&body["in"]["namespace"]), &key),
            ["everything"] => self.0.lock().unwrap().values().sum(),
            ["c", namespace, ..] => self.write(namespace, &key),
            _ => self.write(&text(&body["in"]["namespace"]), &key),
        };
        Some(answer(200, &json!({ "version": version })))
    }

    fn read(&self, namespace: &str, key: &str) -> u64 {
        let keys = self.0.lock().unwrap();
        keys.get(&(namespace.to_owned(), key.to_owned())).copied().unwrap_or_default()
    }

    fn write(&self, namespace: &str, key: &str) -> u64 {
        let mut keys = self.0.lock().unwrap();
        let version = keys.entry((namespace.to_owned(), key.to_owned())).or_default();
        *version += 1;
        *version
    }
}
