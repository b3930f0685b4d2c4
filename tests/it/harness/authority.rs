//! A certificate authority of this test's own, and clients that trust it alone.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{PATIENCE, path};

/// An authority; its files are removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Authority {
    folder: PathBuf,
}

/// A certificate for this machine, and its key, in files.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Pair {
    /// The `[server]` section that uses it.
    pub(crate) fn config(&self) -> String {
        format!("[server]\ntls_cert = \"{}\"\ntls_key = \"{}\"\n", self.cert, self.key)
    }

    /// What a client sees of it.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.cert).unwrap()
    }

    /// Puts another one's files in its files' place.
    pub(crate) fn becomes(&self, other: &Self) {
        fs::copy(&other.cert, &self.cert).unwrap();
        fs::copy(&other.key, &self.key).unwrap();
    }
}

fn openssl(arguments: &[&str]) {
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let made = Command::new("openssl").args(new).args(arguments).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = path("authority");
        fs::create_dir_all(&folder).unwrap();
        let authority = Self { folder };
        let ca = authority.pair("ca");
        openssl(&["-days", "2", "-subj", "/CN=ca", "-keyout", &ca.key, "-out", &ca.cert]);
        authority
    }

    fn pair(&self, name: &str) -> Pair {
        let file = |end: &str| self.folder.join(format!("{name}{end}")).display().to_string();
        Pair { cert: file(".pem"), key: file(".key") }
    }

    /// The file of its own certificate.
    pub(crate) fn file(&self) -> String {
        self.pair("ca").cert
    }

    /// A new certificate, with a serial number and a key of its own.
    pub(crate) fn issue(&self, name: &str) -> Pair {
        let (ca, pair) = (self.pair("ca"), self.pair(name));
        let by = ["-CA", &ca.cert, "-CAkey", &ca.key, "-days", "2", "-subj", "/CN=localhost"];
        let names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
        let leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
        let out = ["-keyout", &pair.key, "-out", &pair.cert];
        openssl(&[&by[..], &names[..], &leaf[..], &out[..]].concat());
        pair
    }

    /// A server's own certificate for a name, which is an authority too: as `openssl req -x509` makes it.
    pub(crate) fn own(&self, file: &str, name: &str) -> Pair {
        let pair = self.pair(file);
        let alternative = format!("subjectAltName={name}");
        let names = ["-days", "2", "-subj", "/CN=own", "-addext", &alternative];
        openssl(&[&names[..], &["-keyout", &pair.key, "-out", &pair.cert]].concat());
        pair
    }

    /// A connection by somebody who trusts this authority, and speaks these protocols.
    pub(crate) async fn connect(
        &self,
        server: SocketAddr,
        protocols: &[&str],
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.pair("ca").certificate()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(server).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        timeout(PATIENCE, shaken).await.expect("no handshake in time")
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}
