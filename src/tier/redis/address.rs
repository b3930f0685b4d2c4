//! Where the shared tier is, from its URL. An error never repeats the URL, which holds a password.

use std::fs;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, TlsMode, cmd,
};

use super::PATIENCE;

/// Commands that may be on their way at once over one connection; each is bounded in bytes.
const UNDER_WAY: usize = 256;

/// Where the shared tier is.
pub(super) struct Address {
    kind: Kind,
    nodes: Vec<ConnectionInfo>,
    tls: bool,
    roots: Option<Vec<u8>>,
}

enum Kind {
    Single,
    Cluster,
    /// The name of the master.
    Sentinel(String),
}

/// A connection that many commands share.
#[derive(Clone)]
pub(super) enum Link {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Address {
    /// Reads a URL, and the certificates beside it.
    pub(super) fn read(url: &str, ca_file: &str) -> Result<Self, String> {
        let expected = "expected redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss, \
                        redis+cluster, redis+sentinel, rediss+cluster, rediss+sentinel";
        let (scheme, rest) = url.split_once("://").ok_or(expected)?;
        let (transport, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match transport {
            "redis" => false,
            "rediss" => true,
            _ => return Err(expected.to_owned()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (kind, database) = match kind {
            "" if !hosts.contains(',') => (Kind::Single, path),
            "cluster" => (Kind::Cluster, path),
            "sentinel" if !path.is_empty() => (Kind::Sentinel(path.to_owned()), ""),
            "sentinel" => {
                return Err("a sentinel URL ends in /NAME, the name of the master".to_owned());
            }
            _ => return Err(expected.to_owned()),
        };
        let at = if user.is_empty() { "" } else { "@" };
        let node = |host: &str| {
            let url = format!("{transport}://{user}{at}{host}/{database}");
            let node = url.as_str().into_connection_info().map_err(|_| expected.to_owned())?;
            Ok(node.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
        };
        let nodes = hosts.split(',').map(node).collect::<Result<Vec<_>, String>>()?;
        let roots = match ca_file {
            "" => None,
            file => Some(fs::read(file).map_err(|error| format!("{file}: {error}"))?),
        };
        Ok(Self { kind, nodes, tls, roots })
    }

    /// The password, which replicas have in common.
    pub(super) fn password(&self) -> Option<&str> {
        self.nodes.first()?.redis_settings().password()
    }

    /// The hosts with their ports.
    pub(super) fn hosts(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.addr().to_string()).collect();
        hosts.join(", ")
    }

    /// Whether connections are encrypted.
    pub(super) fn has_tls(&self) -> bool {
        self.tls
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> RedisResult<Link> {
        match &self.kind {
            Kind::Single => self.single().await.map(Link::Single),
            Kind::Cluster => self.cluster().await.map(Link::Cluster),
            Kind::Sentinel(master) => self.sentinel(master).await.map(Link::Single),
        }
    }

    async fn single(&self) -> RedisResult<MultiplexedConnection> {
        let node = self.nodes.first().cloned().ok_or_else(no_node)?;
        self.open(node).await
    }

    /// The server's own error about the user and the password; none if it takes them, or is not reached. A
    /// sentinel is asked for nothing: it has other passwords.
    pub(super) async fn refusal(&self) -> Option<RedisError> {
        let node = self.nodes.first().filter(|_| !matches!(self.kind, Kind::Sentinel(_)))?;
        let settings = node.redis_settings();
        let mut auth = cmd("AUTH");
        if let Some(user) = settings.username() {
            auth.arg(user);
        }
        auth.arg(settings.password()?);
        let node = node.clone().set_redis_settings(RedisConnectionInfo::default());
        let mut connection = self.open(node).await.ok()?;
        auth.query_async::<()>(&mut connection).await.err()
    }

    async fn open(&self, node: ConnectionInfo) -> RedisResult<MultiplexedConnection> {
        let client = match self.certificates() {
            Some(certificates) if self.tls => Client::build_with_tls(node, certificates)?,
            _ => Client::open(node)?,
        };
        client.get_multiplexed_async_connection_with_config(&config()).await
    }

    async fn cluster(&self) -> RedisResult<ClusterConnection> {
        let builder = ClusterClientBuilder::new(self.nodes.clone())
            .retries(0)
            .connection_timeout(PATIENCE)
            .response_timeout(PATIENCE);
        let builder = match self.certificates() {
            Some(certificates) if self.tls => builder.certs(certificates),
            _ => builder,
        };
        builder.build()?.get_async_connection().await
    }

    async fn sentinel(&self, master: &str) -> RedisResult<MultiplexedConnection> {
        let nodes: Vec<ConnectionAddr> =
            self.nodes.iter().map(|node| node.addr().clone()).collect();
        let redis = self.nodes.first().ok_or_else(no_node)?.redis_settings();
        let mut builder = SentinelClientBuilder::new(nodes, master, SentinelServerType::Master)?
            .set_client_to_redis_db(redis.db())
            .set_client_to_redis_tcp_settings(TcpSettings::default().set_nodelay(true));
        if let Some(user) = redis.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = redis.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if self.tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            if let Some(certificates) = self.certificates() {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates);
            }
        }
        builder.build()?.get_async_connection_with_config(&config()).await
    }

    fn certificates(&self) -> Option<TlsCertificates> {
        let root_cert = self.roots.clone()?;
        Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
    }
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
        .set_pipeline_buffer_size(UNDER_WAY)
}

fn no_node() -> RedisError {
    RedisError::from((redis::ErrorKind::InvalidClientConfig, "the URL has no host"))
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_url_is_read() {
        for (url, nodes) in [
            ("redis://127.0.0.1", 1),
            ("redis://127.0.0.1:6380/2", 1),
            ("rediss://user:p%40ss@cache.example:6379", 1),
            ("redis+cluster://:secret@a:1,b:2,c:3", 3),
            ("rediss+cluster://a:1", 1),
            ("redis+sentinel://:secret@a:1,b:2/main", 2),
        ] {
            let address = Address::read(url, "").unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(address.nodes.len(), nodes, "{url}");
        }
        let user = Address::read("rediss://user:p%40ss@cache.example", "").unwrap();
        assert_eq!(user.password(), Some("p@ss"));
        assert!(user.tls);
    }

    #[test]
    fn a_wrong_url_is_told_without_its_password() {
        for url in [
            "127.0.0.1:6379",
            "http://:hunter2@a",
            "redis://:hunter2@a,b",
            "redis://:hunter2@a:port",
            "redis://:hunter2@a/db",
            "redis+sentinel://:hunter2@a:1",
            "redis+other://:hunter2@a:1",
            "redis+cluster://:hunter2@",
        ] {
            let error = Address::read(url, "").unwrap_err();
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
        assert!(
            Address::read("rediss://a", "/no/such/file").unwrap_err().contains("/no/such/file")
        );
    }
}
