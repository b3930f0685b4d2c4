//! The reason why a server does not answer, for people.

use std::time::Duration;

use redis::{ErrorKind, RedisError};
use tokio::time::timeout;

use super::address::Address;
use super::link::kind_of;
use super::{PATIENCE, Shared};
use crate::config;
use crate::os_error::plain;

/// A failure of the server, or of the connection to it.
pub(super) struct Trouble {
    /// The label of the metrics.
    pub(super) kind: &'static str,
    /// The sentence for the log. It names the host, and never a password.
    pub(super) reason: String,
}

impl Trouble {
    pub(super) fn of(shared: &Shared, error: &RedisError) -> Self {
        Self { kind: kind_of(error), reason: in_words(error, &shared.address.hosts()) }
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
        let link = address.connect().await?;
        link.get(&[format!("{}:probe", settings.prefix)]).await
    };
    match timeout(2 * PATIENCE, asking).await {
        Err(_) => format!("no response from {hosts} within {:?}", 2 * PATIENCE),
        Ok(Ok(_)) => {
            format!("{hosts} answers, but not within redis.timeout ({:?})", settings.timeout)
        }
        Ok(Err(error)) => in_words(&error, &hosts),
    }
}

fn in_words(error: &RedisError, hosts: &str) -> String {
    let detail = plain(error);
    let code = ["WRONGPASS", "NOAUTH", "NOPERM"].into_iter().find(|code| detail.contains(code));
    match code {
        Some("WRONGPASS") => format!("wrong password (WRONGPASS) for {hosts}"),
        Some("NOAUTH") => format!("{hosts} needs a password (NOAUTH)"),
        Some(code) => format!("{hosts} does not permit it ({code}): {detail}"),
        // The client leaves the server's own words out.
        None if error.kind() == ErrorKind::AuthenticationFailed => {
            format!("{hosts} refuses the user or the password of redis.url")
        }
        None if error.is_connection_refusal() => format!("connection refused by {hosts}"),
        None if error.is_timeout() => format!("no response from {hosts}"),
        None => format!("{hosts}: {detail}"),
    }
}
