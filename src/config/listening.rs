//! What is wrong with listeners that are well formed by themselves.

use super::Server;
use super::units::is_loopback;

pub(super) fn check(server: &Server, wrong: &mut impl FnMut(String, String)) {
    if server.admin_token.expose().is_empty() && !is_loopback(server.admin_listen.ip()) {
        let message = "is not on loopback, and needs server.admin_token (LARDER_ADMIN_TOKEN)";
        wrong("server.admin_listen".to_owned(), message.to_owned());
    }
    if server.max_connections == 0 {
        wrong("server.max_connections".to_owned(), "must be at least 1".to_owned());
    }
    // A hand-over would begin by removing the socket that it is about.
    if server.unix_socket.path() == Some(server.upgrade_socket.as_str()) {
        let message = "is server.upgrade_socket too, and they must differ";
        wrong("server.unix_socket".to_owned(), message.to_owned());
    }
    for (named, other, key) in [
        (&server.tls_cert, &server.tls_key, "server.tls_key"),
        (&server.tls_key, &server.tls_cert, "server.tls_cert"),
    ] {
        if named.is_named() && !other.is_named() {
            let message = format!("is needed beside {}", named.name());
            wrong(key.to_owned(), message);
        }
    }
}
