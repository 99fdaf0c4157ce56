//! `listeners`: where the REST API can be reached, in Connect's form.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;
use towpath_domain::config::{Problem, items};

/// One of `listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// a name or an address, without brackets; empty: every address of this machine
    host: String,
    port: u16,
    unsecured: Unsecured,
}

/// Whether anybody on the network may steer the worker: [`ALLOW`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsecured {
    #[default]
    Refused,
    Allowed,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("listeners: {listener} cannot be listened on: {error}")]
    Bind { listener: String, error: io::Error },
    #[error("listeners: {listener}: {}", open(.listener))]
    NotLoopback { listener: String },
}

/// The key of the listeners.
pub const LISTENERS: &str = "listeners";

/// The key that allows listeners that are not on a loopback address.
pub const ALLOW: &str = "rest.unsecured.listeners.allow";

const EXAMPLE: &str = "http://127.0.0.1:8083";

/// The listeners of a comma separated list; all mistakes at once.
pub fn listeners(text: &str, unsecured: Unsecured) -> Result<Vec<Listener>, Vec<Problem>> {
    let mut listeners: Vec<Listener> = Vec::new();
    let mut problems = Vec::new();
    for item in items(text) {
        match Listener::parse(item, unsecured) {
            Ok(listener) if listener.port != 0 && listeners.contains(&listener) => {
                problems.push(problem(item, "is there twice", "name it once"));
            }
            Ok(listener) => listeners.push(listener),
            Err((message, remedy)) => problems.push(problem(item, &message, &remedy)),
        }
    }
    if listeners.is_empty() && problems.is_empty() {
        let remedy = format!("write for example {EXAMPLE}");
        problems.push(problem(text, "names no listener", &remedy));
    }
    if problems.is_empty() {
        Ok(listeners)
    } else {
        Err(problems)
    }
}

// === impl Listener ===

impl Listener {
    fn parse(text: &str, unsecured: Unsecured) -> Result<Self, (String, String)> {
        let form = || {
            (
                "not a listener".to_owned(),
                format!("write http://host:port, for example {EXAMPLE}"),
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(form)?;
        if scheme.eq_ignore_ascii_case("https") {
            return Err((
                "https is not there yet".to_owned(),
                format!("write {EXAMPLE} and put a proxy that has TLS before it"),
            ));
        }
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(form)?;
        let port = port.parse().map_err(|_| form())?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) if address.parse::<IpAddr>().is_ok() => address,
            None if !host.contains([':', '/', '@', ' ', '[', ']']) => host,
            _ => return Err(form()),
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(form());
        }
        if unsecured == Unsecured::Refused && !is_loopback(host) {
            return Err((
                "not a loopback address".to_owned(),
                open(&format!("http://{host}:{port}")),
            ));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            unsecured,
        })
    }

    /// Listens. What a name stands for is only known here, so it is looked at once more.
    pub async fn bind(&self) -> Result<TcpListener, Error> {
        let failed = |error| Error::Bind {
            listener: self.to_string(),
            error,
        };
        let bound = if self.host.is_empty() {
            TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.port))).await
        } else {
            TcpListener::bind((self.host.as_str(), self.port)).await
        };
        let listener = bound.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if self.unsecured == Unsecured::Refused && !address.ip().is_loopback() {
            return Err(Error::NotLoopback {
                listener: self.to_string(),
            });
        }
        Ok(listener)
    }
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http://{}:{}", self.host, self.port)
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Why, and what to do.
fn open(listener: &str) -> String {
    format!(
        "whoever reaches it can steer the worker and read passwords of clusters, as there is no authentication: \
         write {EXAMPLE}, or set {ALLOW}=true if {listener} is kept from others by something else"
    )
}

fn problem(value: &str, message: &str, remedy: &str) -> Problem {
    Problem::new(LISTENERS, Some(value), message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        listeners(text, Unsecured::Refused)
            .expect_err("wrong")
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn loopback_addresses_are_listened_on() {
        let text = "http://127.0.0.1:8083, HTTP://[::1]:8083/,http://localhost:0";
        let found: Vec<String> = listeners(text, Unsecured::Refused)
            .expect("right")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            ["http://127.0.0.1:8083", "http://[::1]:8083", "http://localhost:0"]
        );
    }

    #[test]
    fn others_need_to_be_allowed_by_name() {
        for text in [
            "http://0.0.0.0:8083",
            "http://:8083",
            "http://10.1.2.3:1",
            "http://kafka.example:1",
            "http://[::]:1",
        ] {
            let problems = wrong(text);
            assert!(
                problems[0].contains("rest.unsecured.listeners.allow=true"),
                "{problems:?}"
            );
            assert!(listeners(text, Unsecured::Allowed).is_ok(), "{text}");
        }
    }

    #[test]
    fn every_mistake_is_told() {
        let problems = wrong(
            "https://localhost:1, localhost:8083, http://localhost, ftp://localhost:1, http://localhost:2, http://localhost:2, http://a/b:1",
        );
        assert_eq!(problems.len(), 6, "{problems:#?}");
        assert!(problems[0].contains("https is not there yet"), "{problems:#?}");
        assert_eq!(
            problems[1],
            r#"listeners = "localhost:8083": not a listener; write http://host:port, for example http://127.0.0.1:8083"#
        );
        assert!(problems[4].contains("twice"), "{problems:#?}");
        assert_eq!(wrong(" , ").len(), 1);
    }

    #[tokio::test]
    async fn a_listener_listens() {
        let parsed = listeners("http://localhost:0", Unsecured::Refused).expect("right");
        let bound = parsed[0].bind().await.expect("it is free");
        assert!(bound.local_addr().expect("it has one").ip().is_loopback());
    }
}
