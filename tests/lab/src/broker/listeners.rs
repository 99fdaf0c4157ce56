//! Listeners beside the plain one: TLS with a self-made authority, SASL SCRAM-SHA-256, and plain ones under other addresses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

mod sasl;

pub use sasl::Sasl;

use crate::certificates::Authority;

/// A listener beside the plain one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Named `TLS`. Its clients are `User:ANONYMOUS` too: no client certificate is asked for.
    Tls,
    /// Named `SCRAM`: SASL_PLAINTEXT with SCRAM-SHA-256. These users (name, password) exist from the start, without any ACL.
    Scram { users: Vec<(String, String)> },
    /// Named `SASL`: every mechanism, in clear text.
    Sasl(Sasl),
    /// TLS with a certificate of the test's making.
    Pem(Pem),
    /// Plain text on `host` (`[::1]`). Its clients are told `advertised` (`host:port`) instead of its own address: that of a
    /// [`Proxy`](crate::proxy::Proxy), say.
    Via {
        name: &'static str,
        host: &'static str,
        advertised: Option<String>,
    },
}

/// See [`Listener::Pem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem {
    /// In capitals.
    pub name: &'static str,
    /// `127.0.0.1` or `[::1]`.
    pub host: &'static str,
    /// Key and certificates.
    pub server: PathBuf,
    /// The authority that clients must show a certificate of; their principal is its subject. None: they need none.
    pub clients_of: Option<PathBuf>,
    /// What clients are told instead of its own address.
    pub advertised: Option<String>,
}

/// Of every key store and trust store here. They guard nothing.
pub const STORE_PASSWORD: &str = "towpath-lab";

/// A listener with its port.
pub(super) struct Bound {
    pub(super) name: &'static str,
    pub(super) protocol: &'static str,
    /// Where clients go.
    pub(super) address: String,
    /// Where it listens.
    pub(super) bind: String,
    pub(super) broker_properties: Vec<(String, String)>,
    pub(super) client_properties: PathBuf,
}

// === impl Listener ===

impl Listener {
    /// Arguments of `StorageTool format --add-scram`.
    pub(super) fn scram_arguments(&self) -> Vec<String> {
        match self {
            Self::Tls | Self::Pem(_) | Self::Via { .. } => Vec::new(),
            Self::Scram { users } => users
                .iter()
                .map(|(name, password)| format!("SCRAM-SHA-256=[name={name},password={password}]"))
                .collect(),
            Self::Sasl(listener) => listener.scram_arguments(),
        }
    }
}

pub(super) fn bind(dir: &Path, listeners: &[Listener], ports: &[u16]) -> Result<Vec<Bound>> {
    listeners
        .iter()
        .zip(ports)
        .map(|(listener, port)| {
            let address = format!("127.0.0.1:{port}");
            match listener {
                Listener::Tls => tls(dir, address),
                Listener::Scram { users } => scram(dir, address, users),
                Listener::Sasl(listener) => listener.bind(dir, address),
                Listener::Pem(listener) => pem(dir, format!("{}:{port}", listener.host), listener),
                Listener::Via {
                    name,
                    host,
                    advertised,
                } => via(dir, name, format!("{host}:{port}"), advertised.clone()),
            }
        })
        .collect()
}

pub(super) fn ca_pem(dir: &Path) -> PathBuf {
    dir.join("tls").join("authority.pem")
}

fn via(dir: &Path, name: &'static str, bind: String, advertised: Option<String>) -> Result<Bound> {
    let client_properties = dir.join(format!("client-{name}.properties"));
    fs::write(&client_properties, "security.protocol=PLAINTEXT\n")?;
    Ok(Bound {
        name,
        protocol: "PLAINTEXT",
        address: advertised.unwrap_or_else(|| bind.clone()),
        bind,
        broker_properties: Vec::new(),
        client_properties,
    })
}

fn pem(dir: &Path, bind: String, listener: &Pem) -> Result<Bound> {
    let name = listener.name.to_lowercase();
    let client_properties = dir.join(format!("client-{name}.properties"));
    fs::write(&client_properties, "security.protocol=SSL\n")?;
    let store = |key: &str, value: &str| (format!("listener.name.{name}.ssl.{key}"), value.to_owned());
    let mut broker_properties = vec![
        store("keystore.type", "PEM"),
        store("keystore.location", &listener.server.display().to_string()),
    ];
    if let Some(authority) = &listener.clients_of {
        broker_properties.extend([
            store("client.auth", "required"),
            store("truststore.type", "PEM"),
            store("truststore.location", &authority.display().to_string()),
        ]);
    }
    Ok(Bound {
        name: listener.name,
        protocol: "SSL",
        address: listener.advertised.clone().unwrap_or_else(|| bind.clone()),
        bind,
        broker_properties,
        client_properties,
    })
}

fn scram(dir: &Path, address: String, users: &[(String, String)]) -> Result<Bound> {
    let client_properties = dir.join("client-scram.properties");
    let (name, password) = users
        .first()
        .map_or(("", ""), |(name, password)| (name, password));
    let module = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    fs::write(
        &client_properties,
        format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config={module} username=\"{name}\" password=\"{password}\";\n"
        ),
    )?;
    let broker_properties = vec![
        ("sasl.enabled.mechanisms".to_owned(), "SCRAM-SHA-256".to_owned()),
        (
            "listener.name.scram.scram-sha-256.sasl.jaas.config".to_owned(),
            format!("{module};"),
        ),
    ];
    Ok(Bound {
        name: "SCRAM",
        protocol: "SASL_PLAINTEXT",
        bind: address.clone(),
        address,
        broker_properties,
        client_properties,
    })
}

/// Without keytool, which would start a JVM for each of its eight steps.
fn tls(dir: &Path, bind: String) -> Result<Bound> {
    let authority = Authority::new(&dir.join("tls"), "towpath lab")?;
    let listener = Pem {
        name: "TLS",
        host: "127.0.0.1",
        server: authority.server("server.pem", &["127.0.0.1", "localhost"])?,
        clients_of: None,
        advertised: None,
    };
    let bound = pem(dir, bind, &listener)?;
    let trust = authority.pem().display().to_string();
    let properties =
        format!("security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location={trust}\n");
    fs::write(&bound.client_properties, properties)?;
    Ok(bound)
}
