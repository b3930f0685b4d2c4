//! Whom a connection trusts.

use std::fmt::Display;
use std::sync::{Arc, LazyLock};

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::config::Provider;

/// The platform's roots: hundreds of files, read once and only if a provider is called over TLS.
pub(super) static PLATFORM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
});

/// Trust in the roots of `ca_file`.
pub(super) fn own_roots(provider: &Provider) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if provider.ca_file.is_empty() {
        return Ok(roots);
    }
    let wrong = |error: &dyn Display| format!("{}: {error}", provider.ca_file);
    let certificates = CertificateDer::pem_file_iter(&provider.ca_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&error))?;
    if certificates.is_empty() {
        return Err(wrong(&"holds no PEM certificate"));
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    Ok(roots)
}

pub(super) fn config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 need")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
