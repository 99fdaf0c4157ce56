//! Whether the broker's certificate is to be trusted: rustls' own rules, and two of Java's.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::HostNameCheck;

/// Java's rules: the name need not fit when `ssl.endpoint.identification.algorithm` is empty, and a broker's certificate that lies itself in the trust
/// store is trusted, even if it is marked as that of an authority (`openssl req -x509` makes such ones).
#[derive(Debug)]
pub(super) struct Verifier {
    by_authority: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
    host_name: HostNameCheck,
}

// === impl Verifier ===

impl Verifier {
    /// Fails when none of the certificates can be an authority's.
    pub(super) fn new(
        trusted: Vec<CertificateDer<'static>>,
        host_name: HostNameCheck,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let (_, ignored) = roots.add_parsable_certificates(trusted.iter().cloned());
        if ignored > 0 {
            tracing::debug!(
                ignored,
                "certificates of the trust store cannot be an authority's"
            );
        }
        let by_authority = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            by_authority,
            trusted,
            host_name,
        })
    }

    fn check_name(&self, end_entity: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
        match self.host_name {
            HostNameCheck::Https => verify_server_name(&ParsedCertificate::try_from(end_entity)?, name),
            HostNameCheck::Disabled => Ok(()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.contains(end_entity) {
            check_validity(end_entity, now)?;
            self.check_name(end_entity, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let verified =
            self.by_authority
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last: everything else was right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.host_name == HostNameCheck::Disabled => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}

fn check_validity(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let validity = parsed.validity();
    let seconds =
        |time: i64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(time.max(0).unsigned_abs()));
    let (not_before, not_after) = (
        seconds(validity.not_before.timestamp()),
        seconds(validity.not_after.timestamp()),
    );
    if now < not_before {
        Err(CertificateError::NotValidYetContext {
            time: now,
            not_before,
        }
        .into())
    } else if now > not_after {
        Err(CertificateError::ExpiredContext { time: now, not_after }.into())
    } else {
        Ok(())
    }
}
