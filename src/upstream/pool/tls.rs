//! Trust of connections to providers.

use std::fmt::Display;
use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::config::Provider;

/// The platform's roots: hundreds of files, read once and only if a provider is called over TLS.
pub(super) static PLATFORM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
});

/// The certificates that connections to a provider trust.
#[derive(Debug)]
pub(super) struct Trusted {
    /// Authorities.
    pub(super) roots: RootCertStore,
    /// The certificates of `ca_file`, one of which may be the server's own.
    own: Vec<CertificateDer<'static>>,
}

/// Trust in the certificates of `ca_file`.
pub(super) fn trusted(provider: &Provider) -> Result<Trusted, String> {
    let mut roots = RootCertStore::empty();
    if provider.ca_file.is_empty() {
        return Ok(Trusted { roots, own: Vec::new() });
    }
    let wrong = |error: &dyn Display| format!("{}: {error}", provider.ca_file);
    let own = CertificateDer::pem_file_iter(&provider.ca_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&error))?;
    if own.is_empty() {
        return Err(wrong(&"holds no PEM certificate"));
    }
    for certificate in &own {
        roots.add(certificate.clone()).map_err(|error| wrong(&error))?;
    }
    Ok(Trusted { roots, own })
}

pub(super) fn config(Trusted { roots, own }: Trusted) -> ClientConfig {
    let (provider, roots) = (Arc::new(ring::default_provider()), Arc::new(roots));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 need");
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider);
    match verifier.build() {
        Ok(usual) if !own.is_empty() => {
            let verifier = Arc::new(OwnCertificates { usual, own });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        _ => builder.with_root_certificates(roots).with_no_client_auth(),
    }
}

/// Verifies certificates as usual, and accepts one more: a self-signed certificate with `CA:TRUE`, as
/// `openssl req -x509` makes it, that is in `ca_file` itself and that the server shows as its own. webpki
/// refuses every authority as a server's certificate. OpenSSL, and so curl, Python and Node, accept this one.
#[derive(Debug)]
struct OwnCertificates {
    usual: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for OwnCertificates {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let usual = &self.usual;
        match usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(error) if is_authority(&error) && self.own.contains(end_entity) => {
                // The time was checked before this error; the name is not yet.
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Whether all that is wrong with a certificate is that it is an authority's. rustls has webpki's error as an
/// opaque one; a test through a connection holds its name.
fn is_authority(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other))
        if other.0.to_string() == "CaUsedAsEndEntity")
}
