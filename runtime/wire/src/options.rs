//! What a client needs to know before it connects.

use std::{fmt, str::FromStr, time::Duration};

use crate::Security;

/// Configuration of a [`Client`](crate::Client). The names are those of Kafka's clients.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port` each, IPv6 in brackets (`[::1]:9092`). At least one.
    pub bootstrap_servers: Vec<String>,
    /// Sent with each request; quotas and the broker's request log go by it.
    pub client_id: String,
    /// For one request, from the moment it is written until its answer; and for an operation with its retries. Default 30 s.
    pub request_timeout: Duration,
    /// For name resolution and the TCP handshake together. Default 10 s.
    pub connect_timeout: Duration,
    /// The first pause after a failure. Default 100 ms.
    pub retry_backoff: Duration,
    /// The longest pause between attempts. Default 1 s.
    pub retry_backoff_max: Duration,
    /// A cached leader older than this is forgotten. Default 5 min.
    pub metadata_max_age: Duration,
    /// Requests in flight on a connection; further callers wait. Default 5, the most an idempotent producer may have.
    pub max_in_flight: usize,
    /// The largest answer that is read, bytes. Default 100 MiB, as `socket.request.max.bytes` of a broker.
    pub max_frame: usize,
    /// Default: plain text, and nobody says who they are.
    pub security: Security,
}

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            bootstrap_servers: Vec::new(),
            client_id: "towpath".to_owned(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            max_in_flight: 5,
            max_frame: 100 << 20,
            security: Security::default(),
        }
    }
}

// === impl Address ===

impl FromStr for Address {
    /// The sentence to show.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mistake = |what: &str| Err(format!("{text:?} is not host:port: {what}"));
        if text.contains("://") {
            return mistake("leave out the scheme");
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return mistake("the port is missing (Kafka's usual one is 9092)");
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) => host,
            None if host.contains(':') => {
                return mistake("write an IPv6 address in brackets, as in [::1]:9092");
            }
            None => host,
        };
        if host.is_empty() || host.chars().any(char::is_whitespace) {
            return mistake("the host is missing or has a blank in it");
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            _ => mistake("the port must be a number from 1 to 65535"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["localhost:9092", "127.0.0.1:1", "[::1]:9092", "a-b.example:65535"] {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        for (text, mistake) in [
            ("localhost", "the port is missing"),
            ("::1:9092", "brackets"),
            ("PLAINTEXT://a:9092", "leave out the scheme"),
            ("a:0", "from 1 to 65535"),
            ("a:70000", "from 1 to 65535"),
            (":9092", "the host is missing"),
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.contains(mistake), "{error}");
        }
    }
}
