//! `ssl.*`.

use std::sync::Arc;

use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, crypto::ring, version};
use towpath_domain::config::{Problem, nearest};

use super::Given;
use crate::security::tls::{HostNameCheck, Kind, Place, Role, Server, Settings, Store, Tls};

/// None when there are problems.
pub(super) fn parse(given: &Given<'_>, problems: &mut Vec<Problem>) -> Option<Tls> {
    let before = problems.len();
    let host_name = match given.values.text("ssl.endpoint.identification.algorithm") {
        "" => HostNameCheck::Disabled,
        _ => HostNameCheck::Https,
    };
    let versions = versions(given, problems);
    let cipher_suites = cipher_suites(given, &versions, problems);
    let settings = Settings {
        prefix: Arc::clone(&given.prefix),
        server: Server::Broker,
        trust: trust(given, problems),
        identity: identity(given, problems),
        host_name,
        versions,
        cipher_suites,
    };
    if problems.len() > before {
        return None;
    }
    if host_name == HostNameCheck::Disabled {
        tracing::warn!(
            key = given.key("ssl.endpoint.identification.algorithm"),
            "names in the brokers' certificates are not checked: whoever has any certificate of a trusted authority can pass for a broker"
        );
    }
    Some(Tls::new(settings))
}

/// For a token endpoint: the stores alone.
pub(super) fn of_a_token_endpoint(given: &Given<'_>, problems: &mut Vec<Problem>) -> Tls {
    let (trust, identity) = (trust(given, problems), identity(given, problems));
    Tls::of_a_token_endpoint(&given.prefix, trust, identity)
}

fn trust(given: &Given<'_>, problems: &mut Vec<Problem>) -> Option<Store> {
    let place = match (
        given.values.get("ssl.truststore.location"),
        given.secret("ssl.truststore.certificates"),
    ) {
        (Some(location), None) => Place::File(location.into()),
        (None, Some(certificates)) => Place::Certificates(certificates),
        (Some(_), Some(_)) => {
            problems.push(beside(
                given,
                "ssl.truststore.certificates",
                "ssl.truststore.location",
            ));
            return None;
        }
        (None, None) => {
            let names = ["ssl.truststore.type", "ssl.truststore.password"];
            without_store(given, &names, "ssl.truststore.location", problems);
            return None;
        }
    };
    store(given, Role::Trust, place, problems)
}

fn identity(given: &Given<'_>, problems: &mut Vec<Problem>) -> Option<Store> {
    let location = given.values.get("ssl.keystore.location");
    let (key, chain) = (
        given.secret("ssl.keystore.key"),
        given.secret("ssl.keystore.certificate.chain"),
    );
    let place = match (location, key, chain) {
        (Some(location), None, None) => Place::File(location.into()),
        (None, Some(key), Some(chain)) => Place::KeyAndChain { key, chain },
        (None, None, None) => {
            let names = ["ssl.keystore.type", "ssl.keystore.password", "ssl.key.password"];
            without_store(given, &names, "ssl.keystore.location", problems);
            return None;
        }
        (None, key, _) => {
            let (there, missing) = match key {
                Some(_) => ("ssl.keystore.key", "ssl.keystore.certificate.chain"),
                None => ("ssl.keystore.certificate.chain", "ssl.keystore.key"),
            };
            let message = format!("missing, and {} is given", given.key(there));
            problems.push(given.problem(missing, message, "give both, or ssl.keystore.location"));
            return None;
        }
        (Some(_), key, _) => {
            let inline = match key {
                Some(_) => "ssl.keystore.key",
                None => "ssl.keystore.certificate.chain",
            };
            problems.push(beside(given, inline, "ssl.keystore.location"));
            return None;
        }
    };
    store(given, Role::Identity, place, problems)
}

fn store(given: &Given<'_>, role: Role, place: Place, problems: &mut Vec<Problem>) -> Option<Store> {
    let (kind_name, password_name) = match role {
        Role::Trust => ("ssl.truststore.type", "ssl.truststore.password"),
        Role::Identity => ("ssl.keystore.type", "ssl.keystore.password"),
    };
    let kind = given.values.get(kind_name).and_then(Kind::parse);
    let inline = !matches!(place, Place::File(_));
    if inline && kind.is_some_and(|kind| kind != Kind::Pem) {
        problems.push(given.problem(
            kind_name,
            "what is given in the configuration itself is PEM",
            "write PEM, or leave the key out",
        ));
    }
    if (inline || kind == Some(Kind::Pem)) && given.has(password_name) {
        let remedy = match role {
            Role::Trust => "remove it",
            Role::Identity => "remove it; the password of an encrypted key is ssl.key.password",
        };
        problems.push(given.problem(password_name, "a PEM store has no password", remedy));
    }
    Some(Store {
        role,
        prefix: Arc::clone(&given.prefix),
        place,
        kind,
        password: given.secret(password_name),
        key_password: match role {
            Role::Trust => None,
            Role::Identity => given.secret("ssl.key.password"),
        },
    })
}

fn beside(given: &Given<'_>, inline: &str, location: &str) -> Problem {
    let message = format!("stands beside {}", given.key(location));
    given.problem(inline, message, "give one of the two")
}

fn without_store(given: &Given<'_>, names: &[&str], location: &str, problems: &mut Vec<Problem>) {
    for name in names.iter().filter(|name| given.has(name)) {
        let message = format!("has no effect without {}", given.key(location));
        problems.push(given.problem(name, message, "name the store, or remove this key"));
    }
}

fn versions(given: &Given<'_>, problems: &mut Vec<Problem>) -> Vec<&'static SupportedProtocolVersion> {
    let newest_is_12 = given.values.text("ssl.protocol") == "TLSv1.2";
    let mut versions = Vec::new();
    for name in given.values.list("ssl.enabled.protocols") {
        match &*name {
            "TLSv1.3" if newest_is_12 => {}
            "TLSv1.3" => versions.push(&version::TLS13),
            "TLSv1.2" => versions.push(&version::TLS12),
            other => problems.push(Problem::new(
                given.key("ssl.enabled.protocols"),
                Some(other),
                "is not supported: it is no longer safe, or not known",
                "write TLSv1.2,TLSv1.3 or one of them",
            )),
        }
    }
    if versions.is_empty() && newest_is_12 {
        problems.push(given.problem(
            "ssl.protocol",
            "leaves none of ssl.enabled.protocols",
            "enable TLSv1.2 there, or remove this key",
        ));
    }
    versions
}

fn cipher_suites(
    given: &Given<'_>,
    versions: &[&'static SupportedProtocolVersion],
    problems: &mut Vec<Problem>,
) -> Vec<SupportedCipherSuite> {
    let known: Vec<_> = ring::ALL_CIPHER_SUITES
        .iter()
        .map(|suite| (java_name(suite.suite()), *suite))
        .collect();
    let mut chosen = Vec::new();
    for name in given.values.list("ssl.cipher.suites") {
        match known.iter().find(|(known, _)| *known == name) {
            Some((_, suite)) => chosen.push(*suite),
            None => {
                let names = known.iter().map(|(name, _)| name.as_str());
                let remedy = match nearest(&name, names.clone()).filter(|_| !name.contains("_CBC_")) {
                    Some(near) => format!(
                        "did you mean {near}? All there are: {}",
                        names.collect::<Vec<_>>().join(", ")
                    ),
                    None => format!("choose among {}", names.collect::<Vec<_>>().join(", ")),
                };
                let message = "is not supported: it has no forward secrecy or no authenticated encryption, or is not known";
                problems.push(Problem::new(
                    given.key("ssl.cipher.suites"),
                    Some(&name),
                    message,
                    remedy,
                ));
            }
        }
    }
    for version in versions {
        if !chosen.is_empty() && chosen.iter().all(|suite| suite.version() != *version) {
            tracing::debug!(
                ?version,
                "none of ssl.cipher.suites is for this version: it is not offered"
            );
        }
    }
    if !chosen.is_empty() && !chosen.iter().any(|suite| versions.contains(&suite.version())) {
        problems.push(given.problem(
            "ssl.cipher.suites",
            "has none for the versions in ssl.enabled.protocols",
            "TLSv1.3 has TLS_AES_* and TLS_CHACHA20_*, TLSv1.2 has TLS_ECDHE_*",
        ));
    }
    chosen
}

/// rustls puts the version into the names of TLS 1.3's.
fn java_name(suite: CipherSuite) -> String {
    suite.as_str().unwrap_or_default().replace("TLS13_", "TLS_")
}
