//! TLS towards a broker: rustls with the `ring` provider, and certificates from files or from the operating system.

use std::path::Path;
use std::sync::Arc;

use rumqttc::TlsConfiguration;
use rumqttc::Transport;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use super::settings::TlsFiles;

/// The transport for these files, as they are now. The text of an error names the file.
pub(super) fn transport(files: &TlsFiles) -> Result<Transport, String> {
    let config = Arc::new(client_config(files)?);
    Ok(Transport::tls_with_config(TlsConfiguration::Rustls(config)))
}

/// What a TLS client of ours trusts and shows, from these files as they are now. The text of an error names the file.
pub(super) fn client_config(files: &TlsFiles) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .with_root_certificates(roots(files)?);
    Ok(match (&files.cert_file, &files.key_file) {
        (Some(cert_file), Some(key_file)) => {
            let key = PrivateKeyDer::from_pem_file(key_file)
                .map_err(|error| format!("key_file {}: {error}", key_file.display()))?;
            builder
                .with_client_auth_cert(certificates(cert_file, "cert_file")?, key)
                .map_err(|error| {
                    format!(
                        "cert_file {} with key_file {}: {error}",
                        cert_file.display(),
                        key_file.display()
                    )
                })?
        }
        _ => builder.with_no_client_auth(),
    })
}

/// The authorities to trust.
fn roots(files: &TlsFiles) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(ca_file) = &files.ca_file {
        for certificate in certificates(ca_file, "ca_file")? {
            roots
                .add(certificate)
                .map_err(|error| format!("ca_file {}: {error}", ca_file.display()))?;
        }
        return Ok(roots);
    }
    // Systems ship authorities that rustls cannot read; those are skipped, as browsers do.
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        return Err(
            "the operating system has no certificate authorities; name one as ca_file".into(),
        );
    }
    Ok(roots)
}

/// All certificates of a PEM file; at least one.
pub(super) fn certificates(
    file: &Path,
    setting: &str,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let fail = |error: &dyn std::fmt::Display| format!("{setting} {}: {error}", file.display());
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| fail(&error))?;
    if certificates.is_empty() {
        return Err(fail(&"no certificate in it"));
    }
    Ok(certificates)
}
