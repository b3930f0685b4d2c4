//! Problems of the listeners.

use std::net::SocketAddr;

use super::private_file;
use super::units::is_loopback;
use super::{Server, Sources};

pub(super) fn check(server: &Server, sources: &Sources, wrong: &mut dyn FnMut(String, String)) {
    if server.admin_token.expose().is_empty() && !is_loopback(server.admin_listen.ip()) {
        let message = "is not on loopback and needs server.admin_token (LARDER_ADMIN_TOKEN)";
        wrong("server.admin_listen".to_owned(), message.to_owned());
    }
    if overlap(server.listen, server.admin_listen) {
        let both = [
            ("server.admin_listen", server.admin_listen, "server.listen", server.listen),
            ("server.listen", server.listen, "server.admin_listen", server.admin_listen),
        ];
        // The key that is set: the other one may have its default.
        let is_set = |(key, ..): &&(&str, SocketAddr, &str, SocketAddr)| sources.has(key);
        if let Some((key, own, other_key, other)) = both.iter().find(is_set).or(both.first()) {
            let message =
                format!("{own} and {other_key} ({other}) have the same port; choose another");
            wrong((*key).to_owned(), message);
        }
    }
    // A hand-over would begin by removing the socket that it is about.
    if server.unix_socket.path() == Some(server.upgrade_socket.as_str()) {
        let message = "is server.upgrade_socket too; choose another path";
        wrong("server.unix_socket".to_owned(), message.to_owned());
    }
    if !server.upgrade_socket.starts_with('/') {
        let message = format!("expected an absolute path, got {:?}", server.upgrade_socket);
        wrong("server.upgrade_socket".to_owned(), message);
    }
    check_tls(server, wrong);
}

/// Whether two addresses cannot be listened on at once. Port 0 is another port each time.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (one.ip() == other.ip() || is_any)
}

fn check_tls(server: &Server, wrong: &mut dyn FnMut(String, String)) {
    for (named, other, key) in [
        (&server.tls_cert, &server.tls_key, "server.tls_key"),
        (&server.tls_key, &server.tls_cert, "server.tls_cert"),
    ] {
        if named.is_named() && !other.is_named() {
            let message = format!("is missing: {} is set, and TLS needs both", named.name());
            wrong(key.to_owned(), message);
        }
    }
    if server.tls_key.is_named()
        && let Err(message) = private_file::check(server.tls_key.name())
    {
        wrong("server.tls_key".to_owned(), message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_on_one_port_overlap() {
        let overlap =
            |one: &str, other: &str| overlap(one.parse().unwrap(), other.parse().unwrap());
        assert!(overlap("127.0.0.1:5", "127.0.0.1:5"));
        assert!(overlap("0.0.0.0:5", "127.0.0.1:5") && overlap("10.0.0.1:5", "[::]:5"));
        assert!(!overlap("127.0.0.1:0", "127.0.0.1:0") && !overlap("127.0.0.1:5", "127.0.0.1:6"));
        assert!(!overlap("10.0.0.1:5", "127.0.0.1:5"));
    }
}
