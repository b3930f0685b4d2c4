//! The reason why a server does not answer, for people and as a label of the metrics.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use tokio::time::timeout;

use super::address::Address;
use super::{PATIENCE, Shared};
use crate::config;
use crate::os_error::plain;

/// A failure of the server, or of the connection to it.
pub(super) struct Fault {
    /// The label of the metrics.
    pub(super) kind: &'static str,
    /// The sentence for the log. It names the host, and never a password.
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn of(shared: &Shared, error: &RedisError) -> Self {
        Self { kind: kind_of(error), reason: in_words(error, &shared.address.hosts()) }
    }

    /// The failure of a connection. The client leaves out the server's words about a password, so the server
    /// is asked for them.
    pub(super) async fn of_connecting(address: &Address, error: &RedisError) -> Self {
        let hosts = address.hosts();
        let (kind, mut reason) = (kind_of(error), in_words(error, &hosts));
        if kind == "timeout" && address.has_tls() {
            // A Redis without TLS waits for the rest of a command.
            reason.push_str("; if it does not speak TLS, set redis.url to redis://");
        }
        if error.kind() != ErrorKind::AuthenticationFailed {
            return Self { kind, reason };
        }
        let refusal = timeout(PATIENCE, address.refusal()).await.ok().flatten();
        let words = refusal.map(|refusal| format!(": {}", words_of(&refusal))).unwrap_or_default();
        Self { kind, reason: format!("{reason}{words}") }
    }

    /// No response within a time.
    pub(super) fn late(shared: &Shared, time: Duration) -> Self {
        let reason = format!("no response from {} within {time:?}", shared.address.hosts());
        Self { kind: "timeout", reason }
    }
}

/// Connects and asks once. The reason names the host, and never a password.
pub(super) async fn reason(settings: &config::Redis) -> String {
    let address = match Address::read(settings.url.expose(), &settings.ca_file) {
        Ok(address) => address,
        Err(error) => return error,
    };
    let hosts = address.hosts();
    let asking = async {
        let link = match address.connect().await {
            Ok(link) => link,
            Err(error) => return Err(Fault::of_connecting(&address, &error).await.reason),
        };
        let asked = link.get(&[format!("{}:probe", settings.prefix)]).await;
        asked.map_err(|error| in_words(&error, &hosts))
    };
    match timeout(3 * PATIENCE, asking).await {
        Err(_) => format!("no response from {hosts} within {:?}", 3 * PATIENCE),
        Ok(Ok(_)) => {
            format!("{hosts} answers, but not within redis.timeout ({:?})", settings.timeout)
        }
        Ok(Err(reason)) => reason,
    }
}

/// The kind of a failure, one of [`crate::metrics::REDIS_ERRORS`].
pub(super) fn kind_of(error: &RedisError) -> &'static str {
    let text = error.to_string();
    if error.is_timeout() {
        "timeout"
    } else if error.kind() == ErrorKind::AuthenticationFailed
        || ["WRONGPASS", "NOAUTH", "NOPERM"].iter().any(|code| text.contains(code))
    {
        "auth"
    } else if error.is_connection_refusal() {
        "connection_refused"
    } else if is_tls(&text) {
        "tls"
    } else if error.is_io_error() || error.is_connection_dropped() {
        if text.contains("lookup") { "dns" } else { "io" }
    } else {
        kind_of_refusal(error, &text)
    }
}

/// The kind of an error that the server itself tells of.
fn kind_of_refusal(error: &RedisError, text: &str) -> &'static str {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => "readonly",
        ErrorKind::Server(
            ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::CrossSlot,
        )
        | ErrorKind::ClusterConnectionNotFound => "cluster",
        ErrorKind::Server(ServerErrorKind::BusyLoading) => "loading",
        _ if text.contains("OOM") => "oom",
        _ if error.is_unrecoverable_error() => "io",
        _ => "refused",
    }
}

/// Whether the server was reached and told of the failure itself. That is no reason not to ask it again.
pub(super) fn is_servers(kind: &str) -> bool {
    matches!(kind, "auth" | "readonly" | "cluster" | "loading" | "oom" | "refused")
}

fn is_tls(text: &str) -> bool {
    ["certificate", "InvalidContentType", "tls", "TLS", "AlertReceived", "HandshakeFailure"]
        .iter()
        .any(|word| text.contains(word))
}

/// The server's own words: its code and its message.
fn words_of(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => plain(error),
    }
}

fn in_words(error: &RedisError, hosts: &str) -> String {
    let words = words_of(error);
    match kind_of(error) {
        "auth" if words.contains("NOAUTH") => {
            format!("{hosts} needs a password in redis.url: {words}")
        }
        "auth" if words.contains("NOPERM") => format!("{hosts} does not permit it: {words}"),
        "auth" if error.kind() == ErrorKind::AuthenticationFailed => {
            format!("{hosts} refuses the user or the password of redis.url")
        }
        "auth" => format!("{hosts} refuses the user or the password of redis.url: {words}"),
        "connection_refused" => format!("connection refused by {hosts}"),
        "timeout" => format!("no response from {hosts}: timed out"),
        "tls" => tls_in_words(&words, hosts),
        "readonly" => format!("{hosts} is a replica, which takes no writes: {words}"),
        "cluster" if words.contains("MOVED") || words.contains("CROSSSLOT") => {
            format!("{hosts} is a node of a cluster: set redis.url to redis+cluster://: {words}")
        }
        "oom" => format!("{hosts} is full: {words}; set maxmemory-policy allkeys-lru"),
        "loading" => format!("{hosts} is loading its data: {words}"),
        "io" if is_hang_up(&words) => format!(
            "{hosts} ended the connection: {words}; if it expects TLS, set redis.url to rediss://"
        ),
        _ => format!("{hosts}: {words}"),
    }
}

fn is_hang_up(words: &str) -> bool {
    ["reset", "broken pipe", "Broken pipe", "end of file", "early eof", "closed", "terminated"]
        .iter()
        .any(|word| words.contains(word))
}

fn tls_in_words(words: &str, hosts: &str) -> String {
    if words.contains("CaUsedAsEndEntity") {
        return format!(
            "{hosts} shows an authority's certificate (CA:TRUE) as its own, which is not accepted: make \
             a server's certificate (openssl req -x509 -addext basicConstraints=critical,CA:FALSE \
             -addext subjectAltName=IP:… or DNS:…) and set redis.ca_file to it"
        );
    }
    if words.contains("InvalidContentType") {
        return format!(
            "{hosts} does not speak TLS: set redis.url to redis://, without the second s"
        );
    }
    if words.contains("UnknownIssuer") {
        return format!(
            "the certificate of {hosts} is not signed by a known authority: set redis.ca_file to the \
             authority's ({words})"
        );
    }
    format!("TLS with {hosts} failed: {words}")
}
