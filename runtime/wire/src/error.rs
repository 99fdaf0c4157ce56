//! What can go wrong between here and a broker.

use std::{fmt, io, sync::Arc, time::Duration};

use towpath_domain::{ClusterId, TopicName, TopicPartition};

use crate::{Address, KafkaError, NodeId, Operation, dial::Unresolved, security::Refused};

/// Every text names the broker, the API and whether trying again can help. What to do about an error is decided in
/// [`Error::retry`]. Cheap enough to clone: the requests of a lost connection all get the same cause.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("{} (not retriable)", Joined(mistakes))]
    Address { mistakes: Vec<String> },
    /// No bootstrap server answered; one cause each, in the order they were tried.
    #[error("none of the bootstrap servers can be used: {}", Joined(causes))]
    Bootstrap { causes: Vec<Error> },
    #[error("{peer}: cannot connect: {cause}{} (retriable)", Advertised(peer, cause))]
    Connect { peer: Peer, cause: Arc<io::Error> },
    /// The two sides do not come together; the sentence says what to change. A certificate may be mended while we wait, so it is tried again.
    #[error("{peer}: TLS: {what} (retriable)")]
    Tls { peer: Peer, what: Arc<str> },
    /// The request may or may not have been carried out.
    #[error("{peer}: {api}: the connection was lost: {cause} (retriable)")]
    Disconnected {
        peer: Peer,
        api: &'static str,
        cause: Arc<str>,
    },
    /// The request may or may not have been carried out. The connection was closed: a late answer would be taken for the next one.
    #[error("{peer}: {api}: no answer within {} ms, the connection was closed (retriable)", after.as_millis())]
    Timeout {
        peer: Peer,
        api: &'static str,
        after: Duration,
    },
    #[error("{peer}: {api}: this is not the answer of a Kafka broker: {what} (not retriable)")]
    Protocol {
        peer: Peer,
        api: &'static str,
        what: String,
    },
    #[error(
        "{peer}: {api}: an answer of {bytes} bytes was announced, {limit} are allowed; \
         {} (not retriable)",
        listener(*bytes)
    )]
    FrameTooLarge {
        peer: Peer,
        api: &'static str,
        bytes: u32,
        limit: usize,
    },
    #[error("{peer}: {api} is needed in {ours}, the broker has {theirs} (not retriable)")]
    UnsupportedApi {
        peer: Peer,
        api: &'static str,
        ours: Versions,
        theirs: Versions,
    },
    /// The broker understood and refused.
    #[error("{peer}: {api}{}: {error}{}", Prefixed(" of ", on), Prefixed(": ", message))]
    Kafka {
        peer: Peer,
        api: &'static str,
        on: Option<String>,
        error: KafkaError,
        message: Option<String>,
    },
    /// Nobody knows who we are, and why.
    #[error("{peer}: {cause}; {}", cause.remedy())]
    Sasl {
        peer: Peer,
        cause: Box<crate::SaslError>,
    },
    /// An ACL is missing.
    #[error("{}", Missing(who, operation, topic))]
    NotAllowed {
        /// None: only the brokers know the principal.
        who: Option<String>,
        operation: Operation,
        topic: TopicName,
    },
    #[error("node {node} is not in the cluster's metadata (retriable)")]
    UnknownNode { node: NodeId },
    #[error("{partition} has no leader (retriable)")]
    NoLeader { partition: TopicPartition },
    #[error("{peer} belongs to cluster {found}, not to {expected} as before (not retriable)")]
    OtherCluster {
        peer: Peer,
        expected: ClusterId,
        found: ClusterId,
    },
    /// About a topic that is Towpath's own.
    #[error("topic {topic} for {purpose}: {what}{}", Because(cause))]
    Own {
        topic: TopicName,
        purpose: &'static str,
        what: String,
        cause: Option<KafkaError>,
    },
    #[error("{last}; gave up after {attempts} attempts in {} ms", after.as_millis())]
    GaveUp {
        after: Duration,
        attempts: u32,
        last: Box<Error>,
    },
    /// The caller's mistake, found before anything was sent.
    #[error("{api}: {what} (not retriable)")]
    Invalid { api: &'static str, what: String },
    #[error("the client was closed (not retriable)")]
    Closed,
}

/// The other end of a connection: its address, and its node id when it was opened for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: Address,
    pub node: Option<NodeId>,
}

/// Versions of an API, for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    Range(i16, i16),
    None,
}

struct Joined<'a, T>(&'a [T]);

/// What a broker says of itself is a way to go wrong that no key here can mend.
struct Advertised<'a>(&'a Peer, &'a io::Error);

struct Missing<'a>(&'a Option<String>, &'a Operation, &'a TopicName);

struct Because<'a>(&'a Option<KafkaError>);

struct Prefixed<'a>(&'static str, &'a Option<String>);

// === impl Error ===

impl Error {
    /// Why there is no connection.
    pub(crate) fn from_connecting(peer: &Peer, cause: io::Error) -> Self {
        let peer = peer.clone();
        match refused(&cause) {
            Some(what) => Self::Tls { peer, what },
            None => Self::Connect {
                peer,
                cause: Arc::new(cause),
            },
        }
    }

    /// Whether the broker is there and the two do not come together. The text says what to change.
    pub fn is_about_security(&self) -> bool {
        match self {
            Self::Tls { .. } => true,
            Self::FrameTooLarge { bytes, .. } => is_alert(*bytes),
            Self::Bootstrap { causes } => causes.iter().any(Self::is_about_security),
            Self::GaveUp { last, .. } => last.is_about_security(),
            _ => false,
        }
    }

    /// Kafka's error, when a broker answered one.
    pub fn kafka(&self) -> Option<KafkaError> {
        match self {
            Self::Kafka { error, .. } => Some(*error),
            Self::Own { cause, .. } => *cause,
            Self::GaveUp { last, .. } => last.kafka(),
            _ => None,
        }
    }
}

/// The sentence, when TLS is what failed.
pub(crate) fn refused(cause: &io::Error) -> Option<Arc<str>> {
    let refused = cause.get_ref()?.downcast_ref::<Refused>()?;
    Some(refused.0.as_str().into())
}

/// Whether these are the first four bytes of a TLS alert: content type 21, version 3.x.
fn is_alert(first: u32) -> bool {
    first >> 16 == 0x1503
}

/// What listens there, by the first four bytes that it said.
fn listener(first: u32) -> &'static str {
    if is_alert(first) {
        "a TLS listener says this to plain text: set security.protocol to SSL or SASL_SSL, or name the port of a plain text listener"
    } else {
        "is this a listener of a Kafka broker?"
    }
}

// === impl Peer ===

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "{} (node {node})", self.address),
            None => self.address.fmt(f),
        }
    }
}

// === impl Versions ===

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(min, max) => write!(f, "versions {min} to {max}"),
            Self::None => f.write_str("no version"),
        }
    }
}

// === impl Joined, Advertised, Missing, Because, Prefixed ===

impl<T: fmt::Display> fmt::Display for Joined<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            item.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Advertised<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(peer, cause) = self;
        let Some(node) = peer.node else {
            return Ok(());
        };
        if cause.get_ref().is_some_and(|inner| inner.is::<Unresolved>()) {
            write!(
                f,
                "; broker {node} tells its clients this name: correct it in its advertised.listeners, or let this machine resolve it"
            )
        } else {
            write!(
                f,
                "; if broker {node} runs, look at its advertised.listeners: it tells its clients this address"
            )
        }
    }
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(who, operation, topic) = self;
        let who = who.as_deref().unwrap_or("the client's principal");
        write!(
            f,
            "{who} may not {operation} topic {topic}; grant it: kafka-acls --add --allow-principal {who} --operation {operation} --topic {topic}"
        )
    }
}

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(error) => write!(f, ": {error}"),
            None => f.write_str(" (not retriable)"),
        }
    }
}

impl fmt::Display for Prefixed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(text) => write!(f, "{}{text}", self.0),
            None => Ok(()),
        }
    }
}
