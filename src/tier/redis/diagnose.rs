//! The reason why a server does not answer, for people.

use redis::RedisError;
use tokio::time::timeout;

use super::PATIENCE;
use super::address::Address;
use crate::config;

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
    let detail = error.to_string();
    let code = ["WRONGPASS", "NOAUTH", "NOPERM"].into_iter().find(|code| detail.contains(code));
    match code {
        Some("WRONGPASS") => format!("wrong password (WRONGPASS) for {hosts}"),
        Some("NOAUTH") => format!("{hosts} needs a password (NOAUTH)"),
        Some(code) => format!("{hosts} does not permit it ({code}): {detail}"),
        None if error.is_connection_refusal() => format!("connection refused by {hosts}"),
        None if error.is_timeout() => format!("no response from {hosts}"),
        None => format!("{hosts}: {detail}"),
    }
}
