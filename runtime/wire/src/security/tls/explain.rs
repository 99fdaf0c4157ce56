//! Why there is no TLS with a broker, as a sentence that says what to change.

use std::{error::Error as _, io, sync::Arc};

use rustls::{AlertDescription as Alert, CertificateError, Error, PeerIncompatible};
use rustls_pki_types::UnixTime;
use x509_parser::time::ASN1Time;

/// What the sentences refer to.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// Of the configuration keys, such as `source.cluster.`.
    pub(super) prefix: Arc<str>,
    /// Where the trusted certificates come from, as in "ssl.truststore.location".
    pub(super) trust: String,
    /// The subject of our own certificate.
    pub(super) identity: Option<String>,
}

/// A sentence instead of rustls' error, on its way through `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

// === impl About ===

impl About {
    /// Puts the sentence in the place of an error of TLS; others are left alone.
    pub(crate) fn explain(&self, error: io::Error) -> io::Error {
        let sentence = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>())
            .map(|error| self.sentence(error));
        match sentence {
            Some(sentence) => io::Error::new(error.kind(), Refused(sentence)),
            None => error,
        }
    }

    /// As [`About::explain`], while the handshake goes on.
    pub(crate) fn explain_handshake(&self, error: io::Error) -> io::Error {
        match error.kind() {
            // What a Kafka broker does when it reads a ClientHello as a request of 350 MB. One that speaks TLS sends an alert first.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                let sentence = format!(
                    "the broker closed the connection at the first words of TLS; a plain text listener does so: name the port of a TLS \
                     listener, or set {0}security.protocol to PLAINTEXT or SASL_PLAINTEXT",
                    self.prefix
                );
                io::Error::new(error.kind(), Refused(sentence))
            }
            _ => self.explain(error),
        }
    }

    fn sentence(&self, error: &Error) -> String {
        let prefix = &self.prefix;
        match error {
            Error::InvalidCertificate(error) => self.certificate(error),
            Error::AlertReceived(alert) => self.alert(*alert),
            Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => format!(
                "the broker has none of the protocol versions TLSv1.2 and TLSv1.3 in common with us; \
                 enable one in its ssl.enabled.protocols, and look at {prefix}ssl.enabled.protocols here"
            ),
            Error::PeerIncompatible(what) => format!(
                "the broker and we have no way of TLS in common ({what:?}); \
                 look at ssl.enabled.protocols and ssl.cipher.suites on both sides"
            ),
            Error::InvalidMessage(_) => format!(
                "what the broker answered is not TLS; name the port of a TLS listener, \
                 or set {prefix}security.protocol to PLAINTEXT or SASL_PLAINTEXT"
            ),
            other => other.to_string(),
        }
    }

    fn certificate(&self, error: &CertificateError) -> String {
        let prefix = &self.prefix;
        match error {
            CertificateError::UnknownIssuer => format!(
                "the broker's certificate is not from an authority in {}; put the certificate of its authority there",
                self.trust
            ),
            CertificateError::BadSignature => format!(
                "the signature of the broker's certificate is not that of the authority in {} with this name; \
                 put the right certificate of the authority there",
                self.trust
            ),
            CertificateError::ExpiredContext { not_after, .. } => format!(
                "the broker's certificate, or one of its authorities, expired on {}; renew it on the broker",
                date(*not_after)
            ),
            CertificateError::NotValidYetContext { not_before, .. } => format!(
                "the broker's certificate is valid from {} on, which is later than this machine's clock says; set the clock, or renew the certificate",
                date(*not_before)
            ),
            CertificateError::NotValidForNameContext { expected, presented } => {
                let names = match presented.as_slice() {
                    [] => "has no subject alternative name".to_owned(),
                    // Debug as rustls gives them: DnsName("a"), IpAddress(..).
                    names => format!("is for {}", names.join(", ")),
                };
                format!(
                    "the broker is addressed as {}, and its certificate {names}; use a name of the certificate (bootstrap.servers here, \
                     advertised.listeners on the broker), or give the broker a certificate with this name in its subject alternative names",
                    expected.to_str()
                )
            }
            CertificateError::UnhandledCriticalExtension | CertificateError::InvalidPurpose => {
                format!("the broker's certificate is not made for servers ({error}); make it for serverAuth")
            }
            CertificateError::Other(other) => {
                let cause = other
                    .source()
                    .map_or_else(|| other.to_string(), ToString::to_string);
                format!(
                    "the broker's certificate cannot be trusted ({cause}); put it into {prefix}ssl.truststore.location itself, or make a better one"
                )
            }
            other => format!("the broker's certificate cannot be used: {other}; give the broker another one"),
        }
    }

    fn alert(&self, alert: Alert) -> String {
        let prefix = &self.prefix;
        match (alert, &self.identity) {
            (
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::NoCertificate
                | Alert::HandshakeFailure,
                None,
            ) => format!(
                "the broker wants a client certificate and we have none (alert {alert:?}); \
                 give key and certificate by {prefix}ssl.keystore.location"
            ),
            (Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity, _) => format!(
                "the broker accepts none of our protocol versions and cipher suites (alert {alert:?}); \
                 look at ssl.enabled.protocols and ssl.cipher.suites on both sides"
            ),
            (
                Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::CertificateRequired
                | Alert::AccessDenied
                | Alert::DecryptError,
                Some(subject),
            ) => format!(
                "the broker does not accept our certificate {subject} (alert {alert:?}); use one from an authority in the broker's \
                 ssl.truststore, by {prefix}ssl.keystore.location, or put its authority there"
            ),
            (alert, _) => format!("the broker ended TLS with alert {alert:?}; its log says why"),
        }
    }
}

fn date(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| ASN1Time::from_timestamp(seconds).ok())
        .map_or_else(
            || format!("{} s after 1970", time.as_secs()),
            |time| time.to_string(),
        )
}
