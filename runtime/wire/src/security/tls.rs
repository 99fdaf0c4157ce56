//! TLS: which certificates are trusted, which one is shown, and both read anew when their files change.

mod explain;
mod export;
mod store;
mod stream;
mod verify;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{
    ClientConfig, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    sign::CertifiedKey,
};
use rustls_pki_types::CertificateDer;
use towpath_domain::config::Problem;
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    time::ASN1Time,
};

use store::Sealed;
use verify::Verifier;

pub use export::Pem;

pub(crate) use explain::{About, Refused, Server};
pub(crate) use store::{Kind, Place, Role, Store};
pub(crate) use stream::Stream;

/// What `ssl.*` says. Clones share what was read from the stores.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    settings: Settings,
    loaded: Mutex<Loaded>,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Of the configuration keys, such as `source.cluster.`.
    pub(crate) prefix: Arc<str>,
    pub(crate) server: Server,
    /// None: the authorities that the system trusts, as Java takes its own `cacerts`.
    pub(crate) trust: Option<Store>,
    pub(crate) identity: Option<Store>,
    pub(crate) host_name: HostNameCheck,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    /// Empty: all that rustls has.
    pub(crate) cipher_suites: Vec<SupportedCipherSuite>,
}

/// `ssl.endpoint.identification.algorithm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostNameCheck {
    Https,
    Disabled,
}

/// What a new connection is made with.
#[derive(Clone)]
pub(crate) struct Session {
    config: Arc<ClientConfig>,
    about: Arc<About>,
}

#[derive(Default)]
struct Loaded {
    current: Option<(Contents, Session)>,
    /// What is wrong with the stores as they are now, while an earlier content is used on: said once.
    complaint: Option<String>,
}

/// Everything that a session is made of, as it was read.
#[derive(Clone, PartialEq, Eq)]
struct Contents {
    trust: Option<Sealed>,
    identity: Option<Sealed>,
}

// === impl Tls ===

impl Tls {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            settings,
            loaded: Mutex::default(),
        }))
    }

    /// For a token endpoint. Kafka's clients take none of the brokers' keys there, only those in the JAAS line, and of them the stores.
    pub(crate) fn of_a_token_endpoint(prefix: &str, trust: Option<Store>, identity: Option<Store>) -> Self {
        Self::new(Settings {
            prefix: prefix.into(),
            server: Server::TokenEndpoint,
            trust,
            identity,
            host_name: HostNameCheck::Https,
            versions: rustls::ALL_VERSIONS.to_vec(),
            cipher_suites: Vec::new(),
        })
    }

    /// The same for a schema registry: errors speak of it.
    pub fn to_a_registry(&self) -> Self {
        Self::new(Settings {
            server: Server::Registry,
            ..self.0.settings.clone()
        })
    }

    /// Opens the stores; all mistakes at once. Blocks: files are read, and passwords are made into keys, which takes a while on purpose.
    pub fn check(&self) -> Vec<Problem> {
        self.session().err().unwrap_or_default()
    }

    /// For a new connection: with the stores as they are now. When they cannot be used any more, with the last ones that could be: whoever
    /// renews a certificate writes several files, one after another. Blocks as [`Tls::check`] does.
    pub(crate) fn session(&self) -> Result<Session, Vec<Problem>> {
        let settings = &self.0.settings;
        // Nothing that can panic leaves it half changed.
        let mut loaded = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let made = settings.read().and_then(|contents| match &loaded.current {
            Some((known, session)) if *known == contents => Ok((contents, session.clone())),
            _ => settings.session(&contents).map(|session| (contents, session)),
        });
        match (made, &loaded.current) {
            (Ok((contents, session)), before) => {
                if before.as_ref().is_some_and(|(known, _)| *known != contents) {
                    tracing::info!(
                        keys = %settings.stores(),
                        certificate = session.about.identity,
                        "key store or trust store changed: new connections use what is in it now"
                    );
                }
                *loaded = Loaded {
                    current: Some((contents, session.clone())),
                    complaint: None,
                };
                Ok(session)
            }
            (Err(problems), Some((_, session))) => {
                let session = session.clone();
                let complaint = problems
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; ");
                if loaded.complaint.as_ref() != Some(&complaint) {
                    tracing::warn!(
                        "a changed key store or trust store cannot be used, what was read before is used on: {complaint}"
                    );
                    loaded.complaint = Some(complaint);
                }
                Ok(session)
            }
            (Err(problems), None) => Err(problems),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.settings.fmt(f)
    }
}

// === impl Settings ===

impl Settings {
    fn read(&self) -> Result<Contents, Vec<Problem>> {
        let read = |store: &Option<Store>| store.as_ref().map(Store::read).transpose();
        let (trust, identity) = both(read(&self.trust), read(&self.identity))?;
        Ok(Contents { trust, identity })
    }

    fn session(&self, contents: &Contents) -> Result<Session, Vec<Problem>> {
        let provider = Arc::new(self.provider());
        let trust = self.trust(contents.trust.as_ref(), &provider);
        let identity = self.identity(contents.identity.as_ref(), &provider);
        let (verifier, identity) = both(trust, identity)?;
        let about = About {
            server: self.server,
            prefix: Arc::clone(&self.prefix),
            trust: match &self.trust {
                Some(store) => store.place_key(),
                None => format!(
                    "the system's store ({}ssl.truststore.location is missing)",
                    self.prefix
                ),
            },
            identity: identity.as_ref().and_then(|key| key.cert.first()).map(subject),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .map_err(|error| {
                let remedy = "give cipher suites for a protocol version of ssl.enabled.protocols";
                vec![Problem::new(
                    format!("{}ssl.cipher.suites", self.prefix),
                    None,
                    error.to_string(),
                    remedy,
                )]
            })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match identity {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity)))
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Session {
            config: Arc::new(config),
            about: Arc::new(about),
        })
    }

    fn provider(&self) -> CryptoProvider {
        let mut provider = ring::default_provider();
        if !self.cipher_suites.is_empty() {
            provider.cipher_suites.clone_from(&self.cipher_suites);
        }
        provider
    }

    fn trust(&self, sealed: Option<&Sealed>, provider: &Arc<CryptoProvider>) -> Result<Verifier, Problem> {
        let verifier = |trusted| Verifier::new(trusted, self.host_name, Arc::clone(provider));
        match self.trust.as_ref().zip(sealed) {
            Some((store, sealed)) => verifier(store.trusted(sealed)?).map_err(|error| {
                store.problem(
                    format!("has no certificate that can be an authority's: {error}"),
                    "put the certificate of the brokers' authority into it",
                )
            }),
            None => {
                let found = rustls_native_certs::load_native_certs();
                verifier(found.certs).map_err(|error| {
                    let problems: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
                    Problem::new(
                        format!("{}ssl.truststore.location", self.prefix),
                        None,
                        format!(
                            "missing, and the system has no authorities to trust: {error} {}",
                            problems.join(", ")
                        ),
                        "name a store with the certificate of the brokers' authority",
                    )
                })
            }
        }
    }

    fn identity(
        &self,
        sealed: Option<&Sealed>,
        provider: &CryptoProvider,
    ) -> Result<Option<CertifiedKey>, Problem> {
        let Some((store, sealed)) = self.identity.as_ref().zip(sealed) else {
            return Ok(None);
        };
        let identity = store.identity(sealed)?;
        let key = provider
            .key_provider
            .load_private_key(identity.key)
            .map_err(|error| {
                store.problem(
                    format!("its private key cannot be used: {error}"),
                    "use an RSA key of 2048 to 8192 bits, or an EC key on P-256 or P-384, or Ed25519",
                )
            })?;
        let identity = CertifiedKey::new(identity.chain, key);
        let own = &identity.cert[0];
        if let Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) =
            identity.keys_match()
        {
            return Err(store.problem(
                format!(
                    "the private key does not belong to the first certificate ({})",
                    subject(own)
                ),
                "put the certificate of this key first, then those of its authorities",
            ));
        }
        check_validity(store, own)?;
        Ok(Some(identity))
    }

    fn stores(&self) -> String {
        let stores = [&self.trust, &self.identity];
        let keys: Vec<_> = stores.into_iter().flatten().map(Store::place_key).collect();
        keys.join(", ")
    }
}

/// Brokers refuse such a certificate with an alert that does not say why.
fn check_validity(store: &Store, certificate: &CertificateDer<'_>) -> Result<(), Problem> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| {
        store.problem(
            format!("its certificate cannot be read: {error}"),
            "make it again",
        )
    })?;
    let (not_before, not_after) = (parsed.validity().not_before, parsed.validity().not_after);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = i64::try_from(now)
        .ok()
        .and_then(|now| ASN1Time::from_timestamp(now).ok());
    match now {
        Some(now) if now > not_after => Err(store.problem(
            format!(
                "its certificate ({}) expired on {not_after}",
                subject(certificate)
            ),
            "renew it",
        )),
        Some(now) if now < not_before => Err(store.problem(
            format!(
                "its certificate ({}) is valid from {not_before} on",
                subject(certificate)
            ),
            "set this machine's clock, or wait",
        )),
        _ => Ok(()),
    }
}

fn subject(certificate: &CertificateDer<'_>) -> String {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) => parsed.subject().to_string(),
        Err(_) => "of an unknown subject".to_owned(),
    }
}

/// Both values, or every mistake.
fn both<A, B>(a: Result<A, Problem>, b: Result<B, Problem>) -> Result<(A, B), Vec<Problem>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err(a.err().into_iter().chain(b.err()).collect()),
    }
}
