//! What the stores hold, for another TLS library: librdkafka reads PEM, and neither JKS nor PKCS12 trust stores.

use std::fmt;

use data_encoding::BASE64;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use towpath_domain::config::Problem;

use super::{HostNameCheck, Tls, both};

/// The stores' content as PEM.
#[derive(Clone, Default)]
pub struct Pem {
    /// None: the authorities that the system trusts.
    pub authorities: Option<String>,
    /// Our own certificate, then those of its authorities.
    pub chain: Option<String>,
    /// Not encrypted.
    pub key: Option<String>,
    /// Whether certificates must be for the name that the broker is connected by.
    pub checks_host_name: bool,
}

/// Of base64, as in RFC 7468.
const LINE: usize = 64;

// === impl Tls ===

impl Tls {
    /// The stores as they are now. Blocks as [`Tls::check`] does.
    pub fn to_pem(&self) -> Result<Pem, Vec<Problem>> {
        let settings = &self.0.settings;
        let contents = settings.read()?;
        let trust = settings.trust.as_ref().zip(contents.trust.as_ref());
        let identity = settings.identity.as_ref().zip(contents.identity.as_ref());
        let (trusted, identity) = both(
            trust.map(|(store, sealed)| store.trusted(sealed)).transpose(),
            identity.map(|(store, sealed)| store.identity(sealed)).transpose(),
        )?;
        let (key, chain) = identity.map(|identity| (identity.key, identity.chain)).unzip();
        let certificates = |certificates: Vec<CertificateDer<'_>>| {
            certificates
                .iter()
                .map(|der| section("CERTIFICATE", der))
                .collect()
        };
        Ok(Pem {
            authorities: trusted.map(certificates),
            chain: chain.map(certificates),
            key: key.map(|key| {
                let label = match &key {
                    PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
                    PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
                    _ => "PRIVATE KEY",
                };
                section(label, key.secret_der())
            }),
            checks_host_name: settings.host_name == HostNameCheck::Https,
        })
    }
}

// === impl Pem ===

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn section(label: &str, der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = &body[..];
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = behind;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
