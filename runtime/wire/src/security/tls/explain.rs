//! Why there is no TLS with a broker or a token endpoint, as a sentence that says what to change.

use std::{error::Error as _, fmt, io, sync::Arc};

use rustls::{AlertDescription as Alert, CertificateError, Error, PeerIncompatible};
use rustls_pki_types::UnixTime;
use x509_parser::time::ASN1Time;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Broker,
    TokenEndpoint,
    Registry,
}

/// What the sentences refer to.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(super) server: Server,
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

// === impl Server ===

impl Server {
    /// How plain text is asked for, when TLS is not what is spoken there.
    fn plain(self, prefix: &str) -> String {
        match self {
            Self::Broker => format!(
                "name the port of a TLS listener, or set {prefix}security.protocol to PLAINTEXT or SASL_PLAINTEXT"
            ),
            Self::TokenEndpoint | Self::Registry => "name the port that speaks https".to_owned(),
        }
    }

    /// What makes name and certificate agree.
    fn naming(self) -> &'static str {
        match self {
            Self::Broker => {
                "use a name of the certificate (bootstrap.servers here, advertised.listeners on the broker), or give the broker a certificate"
            }
            Self::TokenEndpoint => {
                "use a name of the certificate in the URL, or give the token endpoint a certificate"
            }
            Self::Registry => "use a name of the certificate in the URL, or give the registry a certificate",
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broker => "the broker",
            Self::TokenEndpoint => "the token endpoint",
            Self::Registry => "the schema registry",
        })
    }
}

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
                    "{} closed the connection at the first words of TLS; a plain text listener does so: {}",
                    self.server,
                    self.server.plain(&self.prefix)
                );
                io::Error::new(error.kind(), Refused(sentence))
            }
            _ => self.explain(error),
        }
    }

    fn sentence(&self, error: &Error) -> String {
        let (server, prefix) = (self.server, &self.prefix);
        match error {
            Error::InvalidCertificate(error) => self.certificate(error),
            Error::AlertReceived(alert) => self.alert(*alert),
            Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => format!(
                "{server} has none of the protocol versions TLSv1.2 and TLSv1.3 in common with us; \
                 enable one in its ssl.enabled.protocols, and look at {prefix}ssl.enabled.protocols here"
            ),
            Error::PeerIncompatible(what) => format!(
                "{server} and we have no way of TLS in common ({what:?}); \
                 look at ssl.enabled.protocols and ssl.cipher.suites on both sides"
            ),
            Error::InvalidMessage(_) => {
                format!("what {server} answered is not TLS; {}", server.plain(prefix))
            }
            other => other.to_string(),
        }
    }

    fn certificate(&self, error: &CertificateError) -> String {
        let (server, prefix) = (self.server, &self.prefix);
        match error {
            CertificateError::UnknownIssuer => format!(
                "{server}'s certificate is not from an authority in {}; put the certificate of its authority there",
                self.trust
            ),
            CertificateError::BadSignature => format!(
                "the signature of {server}'s certificate is not that of the authority in {} with this name; \
                 put the right certificate of the authority there",
                self.trust
            ),
            CertificateError::ExpiredContext { not_after, .. } => format!(
                "{server}'s certificate, or one of its authorities, expired on {}; renew it on {server}",
                date(*not_after)
            ),
            CertificateError::NotValidYetContext { not_before, .. } => format!(
                "{server}'s certificate is valid from {} on, which is later than this machine's clock says; set the clock, or renew the certificate",
                date(*not_before)
            ),
            CertificateError::NotValidForNameContext { expected, presented } => {
                let names = match presented.as_slice() {
                    [] => "has no subject alternative name".to_owned(),
                    // Debug as rustls gives them: DnsName("a"), IpAddress(..).
                    names => format!("is for {}", names.join(", ")),
                };
                format!(
                    "{server} is addressed as {}, and its certificate {names}; {} with this name in its subject alternative names",
                    expected.to_str(),
                    server.naming()
                )
            }
            CertificateError::UnhandledCriticalExtension | CertificateError::InvalidPurpose => {
                format!("{server}'s certificate is not made for servers ({error}); make it for serverAuth")
            }
            CertificateError::Other(other) => {
                let cause = other
                    .source()
                    .map_or_else(|| other.to_string(), ToString::to_string);
                format!(
                    "{server}'s certificate cannot be trusted ({cause}); put it into {prefix}ssl.truststore.location itself, or make a better one"
                )
            }
            other => format!("{server}'s certificate cannot be used: {other}; give {server} another one"),
        }
    }

    fn alert(&self, alert: Alert) -> String {
        let (server, prefix) = (self.server, &self.prefix);
        match (alert, &self.identity) {
            (
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::NoCertificate
                | Alert::HandshakeFailure,
                None,
            ) => format!(
                "{server} wants a client certificate and we have none (alert {alert:?}); \
                 give key and certificate by {prefix}ssl.keystore.location"
            ),
            (Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity, _) => format!(
                "{server} accepts none of our protocol versions and cipher suites (alert {alert:?}); \
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
                "{server} does not accept our certificate {subject} (alert {alert:?}); use one from an authority in its \
                 ssl.truststore, by {prefix}ssl.keystore.location, or put its authority there"
            ),
            (alert, _) => format!("{server} ended TLS with alert {alert:?}; its log says why"),
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
