//! TLS of the built-in listener: rustls with the `ring` provider, certificates from files, and whose a client certificate is.
//!
//! A renewed certificate is taken up without a restart: the files are looked at now and then, and new connections get the new one.
//! Files that cannot be read, or do not belong together, change nothing and are told in the log. A new authority for client
//! certificates takes a restart.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::Weak;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::TlsAcceptor;
use webpki::EndEntityCert;

use super::super::tls::certificates;
use super::stamp::Stamp;
use super::subject;

/// How often the files are looked at. Certificates are renewed days before they end.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Files of the listener's TLS, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// Our certificate, and those between it and the authority.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
    /// Authorities that sign clients' certificates. A client may then show one; one that shows none needs a name and a password.
    pub client_ca_file: Option<PathBuf>,
}

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("listener: {0}")]
pub struct ListenerTlsError(String);

/// What accepts TLS connections with these files, as they are now; inside a tokio runtime a renewed certificate is followed.
///
/// # Errors
/// As [`open`].
pub fn acceptor(files: &ListenerTls) -> Result<TlsAcceptor, ListenerTlsError> {
    open(files).map(|(acceptor, _)| acceptor)
}

/// The same, and a hand on the certificate.
///
/// # Errors
/// When a file cannot be read, holds nothing usable, or the key does not belong to the certificate; the text names the file.
pub fn open(files: &ListenerTls) -> Result<(TlsAcceptor, Certificate), ListenerTlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let current = Arc::new(Current::read(files, &provider).map_err(ListenerTlsError)?);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ListenerTlsError(format!("TLS: {error}")))?;
    let builder = match &files.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = authorities(file).map_err(ListenerTlsError)?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    // Who shows none has to log in by password: `Access` decides.
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| {
                        ListenerTlsError(format!("client_ca_file {}: {error}", file.display()))
                    })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&current) as _;
    let config = builder.with_cert_resolver(resolver);
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::spawn(follow(Arc::downgrade(&current)));
    }
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Ok((acceptor, Certificate(current)))
}

/// The certificate that new connections get.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<Current>);

impl Certificate {
    /// Whether the files could be taken up as they are now; changes nothing.
    ///
    /// # Errors
    /// When one cannot be read, holds nothing usable, or the key does not belong to the certificate.
    pub fn check(&self) -> Result<(), ListenerTlsError> {
        let Current {
            files, provider, ..
        } = &*self.0;
        certified(files, provider)
            .and_then(|_| match &files.client_ca_file {
                Some(file) => authorities(file).map(|_| ()),
                None => Ok(()),
            })
            .map_err(ListenerTlsError)
    }

    /// Takes the files up now rather than at the next look, and tells whether they had changed. What cannot be used changes
    /// nothing and is told in the log.
    pub fn refresh(&self) -> bool {
        self.0.look()
    }

    /// The file of the authorities of clients is another than at the start: that takes a restart.
    #[must_use]
    pub fn has_other_authorities(&self) -> bool {
        self.0.authorities != authorities_stamp(&self.0.files)
    }
}

fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, "client_ca_file")? {
        roots
            .add(certificate)
            .map_err(|error| format!("client_ca_file {}: {error}", file.display()))?;
    }
    Ok(roots)
}

/// The common name of the client's certificate, which the handshake has verified. `None` when it showed none, or when the name is
/// not one single text.
#[must_use]
pub fn common_name(connection: &ServerConnection) -> Option<String> {
    let leaf = connection.peer_certificates()?.first()?;
    common_name_of(leaf)
}

fn common_name_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    subject::common_name(certificate.subject())
}

/// See [`Certificate`].
#[derive(Debug)]
struct Current {
    files: ListenerTls,
    provider: Arc<CryptoProvider>,
    key: RwLock<Arc<CertifiedKey>>,
    read: RwLock<Stamps>,
    /// The authorities of clients as they were read.
    authorities: Option<Stamp>,
}

type Stamps = (Option<Stamp>, Option<Stamp>);

impl Current {
    fn read(files: &ListenerTls, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let read = stamps(files);
        Ok(Self {
            authorities: authorities_stamp(files),
            key: RwLock::new(certified(files, provider)?),
            files: files.clone(),
            provider: Arc::clone(provider),
            read: RwLock::new(read),
        })
    }

    /// Takes up the files again if one has changed; tells whether another certificate holds now.
    fn look(&self) -> bool {
        let now = stamps(&self.files);
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if *read == now {
            return false;
        }
        *read = now;
        let file = self.files.cert_file.display();
        match certified(&self.files, &self.provider) {
            Ok(key) => {
                *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
                tracing::info!(%file, "the MQTT listener took up its renewed certificate");
                true
            }
            // Certificate and key are often written one after the other; the second change is read as well.
            Err(error) => {
                tracing::error!(%file, error, "the MQTT listener goes on with its old certificate");
                false
            }
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&key))
    }
}

fn authorities_stamp(files: &ListenerTls) -> Option<Stamp> {
    files.client_ca_file.as_deref().and_then(Stamp::of)
}

fn stamps(files: &ListenerTls) -> Stamps {
    (Stamp::of(&files.cert_file), Stamp::of(&files.key_file))
}

/// Certificate and key, which belong together.
fn certified(
    files: &ListenerTls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<CertifiedKey>, String> {
    let chain = certificates(&files.cert_file, "cert_file")?;
    let key = PrivateKeyDer::from_pem_file(&files.key_file)
        .map_err(|error| format!("key_file {}: {error}", files.key_file.display()))?;
    CertifiedKey::from_der(chain, key, provider)
        .map(Arc::new)
        .map_err(|error| {
            format!(
                "cert_file {} with key_file {}: {error}",
                files.cert_file.display(),
                files.key_file.display()
            )
        })
}

/// Looks at the files for as long as anything accepts with them.
async fn follow(current: Weak<Current>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(current) = current.upgrade() else {
            return;
        };
        if tokio::task::spawn_blocking(move || current.look())
            .await
            .is_err()
        {
            tracing::error!("looking at the certificate failed; trying again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::BasicConstraints;
    use rcgen::CertificateParams;
    use rcgen::CertifiedIssuer;
    use rcgen::DnType;
    use rcgen::IsCa;
    use rcgen::KeyPair;

    use super::*;

    fn named(names: &[&str]) -> CertificateParams {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "shop");
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params
    }

    fn write(dir: &Path, name: &str) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let certificate = named(&[name]).self_signed(&key).unwrap();
        fs::write(dir.join("server.pem"), certificate.pem()).unwrap();
        fs::write(dir.join("server.key"), key.serialize_pem()).unwrap();
        certificate.der().clone()
    }

    fn files(dir: &Path) -> ListenerTls {
        ListenerTls {
            cert_file: dir.join("server.pem"),
            key_file: dir.join("server.key"),
            client_ca_file: None,
        }
    }

    #[test]
    fn the_common_name_is_read_from_the_certificate() {
        let key = KeyPair::generate().unwrap();
        for name in ["TSF5-MADEUP-07", "ts-flash5/TSF5-MADEUP-07", "网关-1"] {
            let certificate = named(&[name]).self_signed(&key).unwrap();
            assert_eq!(common_name_of(certificate.der()).as_deref(), Some(name));
        }
        let none = named(&[]).self_signed(&key).unwrap();
        assert_eq!(common_name_of(none.der()), None);
        assert_eq!(common_name_of(&CertificateDer::from(vec![1, 2, 3])), None);
    }

    #[test]
    fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let first = write(dir.path(), "first");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let current = Current::read(&files(dir.path()), &provider).unwrap();
        let shown = || current.key.read().unwrap().cert[0].clone();
        assert_eq!(shown(), first);
        let second = write(dir.path(), "second");
        current.look();
        assert_eq!(shown(), second);
        // A certificate without its key, as when one of the two is written first.
        let key = fs::read(dir.path().join("server.key")).unwrap();
        let third = write(dir.path(), "third");
        let new_key = fs::read(dir.path().join("server.key")).unwrap();
        fs::write(dir.path().join("server.key"), key).unwrap();
        current.look();
        assert_eq!(shown(), second);
        fs::write(dir.path().join("server.key"), new_key).unwrap();
        current.look();
        assert_eq!(shown(), third);
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let said = |files: &ListenerTls| acceptor(files).err().expect("refused").to_string();
        let text = said(&files(dir.path()));
        assert!(
            text.contains("cert_file") && text.contains("server.pem"),
            "{text}"
        );
        write(dir.path(), "server");
        assert!(acceptor(&files(dir.path())).is_ok());
        let other = KeyPair::generate().unwrap();
        fs::write(dir.path().join("server.key"), other.serialize_pem()).unwrap();
        let text = said(&files(dir.path()));
        assert!(text.contains("with key_file"), "{text}");
        write(dir.path(), "server");
        let mut with_clients = files(dir.path());
        with_clients.client_ca_file = Some(dir.path().join("server.key"));
        let text = said(&with_clients);
        assert!(
            text.contains("client_ca_file") && text.contains("no certificate in it"),
            "{text}"
        );
    }

    #[test]
    fn an_authority_for_clients_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "server");
        let mut params = named(&["authority"]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        let mut with_clients = files(dir.path());
        with_clients.client_ca_file = Some(dir.path().join("ca.pem"));
        let (_, certificate) = open(&with_clients).unwrap();
        assert!(!certificate.has_other_authorities());
        assert!(certificate.check().is_ok() && !certificate.refresh());
        fs::write(dir.path().join("ca.pem"), "nobody").unwrap();
        assert!(certificate.has_other_authorities() && certificate.check().is_err());
    }
}
