//! The configuration keys of security, under Kafka's own names: the same rows for the source (`source.cluster.`), the target
//! (`target.cluster.`), the worker, and files of client properties.

mod foreign;
mod sasl;
mod tls;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use towpath_domain::config::{Config, Definition, Key, Presence, Problem, Shape, Values};

use super::{Environment, Secret, Security};
use crate::Sasl;

/// Every key, without its prefix.
pub const DEFINITION: Definition = Definition {
    keys: &[
        Key {
            name: "security.protocol",
            shape: Shape::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
            presence: Presence::Default("PLAINTEXT"),
            documentation: "how brokers are spoken to; the listener at the port given must be of this kind",
        },
        Key {
            name: "ssl.truststore.location",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "file with the certificates of the brokers' authorities; the authorities that the system trusts when missing",
        },
        Key {
            name: "ssl.truststore.type",
            shape: Shape::OneOf(&["PEM", "PKCS12", "JKS"]),
            presence: Presence::Optional,
            documentation: "of the trust store; told by its content when missing",
        },
        Key {
            name: "ssl.truststore.password",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "of the trust store; PEM has none",
        },
        Key {
            name: "ssl.truststore.certificates",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "the certificates themselves as PEM, instead of a file",
        },
        Key {
            name: "ssl.keystore.location",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "file with the client's private key and certificates, for brokers that want them (ssl.client.auth)",
        },
        Key {
            name: "ssl.keystore.type",
            shape: Shape::OneOf(&["PEM", "PKCS12", "JKS"]),
            presence: Presence::Optional,
            documentation: "of the key store; told by its content when missing",
        },
        Key {
            name: "ssl.keystore.password",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "of the key store; PEM has none",
        },
        Key {
            name: "ssl.keystore.key",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "the private key itself as PEM, instead of a file",
        },
        Key {
            name: "ssl.keystore.certificate.chain",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "the client's certificate itself as PEM, then those of its authorities, instead of a file",
        },
        Key {
            name: "ssl.key.password",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "of the private key, when it is encrypted and the key store's password is not its own",
        },
        Key {
            name: "ssl.endpoint.identification.algorithm",
            shape: Shape::OneOf(&["https", ""]),
            presence: Presence::Default("https"),
            documentation: "https: a broker's certificate must be for the name or address it is connected by; nothing at all: it need not",
        },
        Key {
            name: "ssl.enabled.protocols",
            shape: Shape::List,
            presence: Presence::Default("TLSv1.2,TLSv1.3"),
            documentation: "versions of TLS that are offered",
        },
        Key {
            name: "ssl.protocol",
            shape: Shape::OneOf(&["TLSv1.3", "TLSv1.2", "TLS"]),
            presence: Presence::Default("TLSv1.3"),
            documentation: "the newest version that is offered",
        },
        Key {
            name: "ssl.cipher.suites",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "cipher suites that are offered, by their names in Java; all that are safe when missing",
        },
        Key {
            name: "sasl.mechanism",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "how the client says who it is: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
        },
        Key {
            name: "sasl.jaas.config",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "the login module of the mechanism with its options, as in Kafka's clients; read anew at each authentication",
        },
        Key {
            name: "sasl.oauthbearer.token.endpoint.url",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "where tokens come from: a token endpoint for client credentials, or file:///path of a file with a token. Whom to trust at https:// is said by ssl.truststore.* and ssl.keystore.* as options in sasl.jaas.config, as in Kafka's clients; the authorities that the system trusts otherwise",
        },
        Key {
            name: "sasl.oauthbearer.scope",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "scope that a token endpoint is asked for",
        },
        Key {
            name: "sasl.oauthbearer.client.credentials.client.id",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "the client's id at the token endpoint; clientId in sasl.jaas.config otherwise",
        },
        Key {
            name: "sasl.oauthbearer.client.credentials.client.secret",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "its secret there; clientSecret in sasl.jaas.config otherwise",
        },
        Key {
            name: "sasl.login.callback.handler.class",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "taken where it is Kafka's own OAuthBearerLoginCallbackHandler, and not needed",
        },
    ],
};

/// What `sasl.mechanism` may be.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

/// The keys of one client as they were given.
struct Given<'a> {
    prefix: Arc<str>,
    /// Without prefix.
    values: Values,
    names: Vec<&'a str>,
    environment: &'a Environment,
    /// The keys are options of this JAAS line.
    line: Option<Secret>,
}

// === impl Security ===

impl Security {
    /// Whether the key, without its prefix, is one of these rows, or looks like it.
    pub fn owns(key: &str) -> bool {
        ["security.", "ssl.", "sasl."]
            .iter()
            .any(|family| key.starts_with(family))
    }

    /// Checks the keys that have this prefix (`source.cluster.`, or none); all mistakes at once. References to files and to the environment
    /// are resolved once, to see that they lead somewhere; stores are not opened yet, see [`Security::check`].
    pub fn parse(config: &Config, prefix: &str, environment: &Environment) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut own = Config::new();
        for (key, value) in config {
            let Some(name) = key.strip_prefix(prefix).filter(|name| Self::owns(name)) else {
                continue;
            };
            if let Some((message, remedy)) = foreign::known(name) {
                problems.push(Problem::new(key, None, message, remedy));
                continue;
            }
            match Secret::new(key, value, environment).resolve() {
                Ok(_) if is_password(name) => drop(own.insert(name.to_owned(), value.clone())),
                Ok(resolved) => drop(own.insert(name.to_owned(), normal(name, resolved))),
                Err(unresolved) => problems.push(unresolved.0),
            }
        }
        let (values, mistakes) = DEFINITION.parse(&own, |_| false);
        problems.extend(mistakes.into_iter().map(|mistake| Problem {
            key: format!("{prefix}{}", mistake.key),
            ..mistake
        }));
        let given = Given {
            prefix: prefix.into(),
            values,
            names: own.keys().map(String::as_str).collect(),
            environment,
            line: None,
        };
        let protocol = given.values.text("security.protocol");
        let tls = if protocol.ends_with("SSL") {
            tls::parse(&given, &mut problems)
        } else {
            given.refuse_all("ssl.", "set it to SSL or SASL_SSL", &mut problems);
            None
        };
        let sasl = if protocol.starts_with("SASL") {
            sasl::parse(&given, &mut problems)
        } else {
            given.refuse_all("sasl.", "set it to SASL_SSL or SASL_PLAINTEXT", &mut problems);
            None
        };
        if problems.is_empty() {
            Ok(Self { tls, sasl })
        } else {
            Err(problems)
        }
    }

    /// Opens key stores and trust stores, those for a token endpoint too; all mistakes at once. Blocks: see
    /// [`Tls::check`](super::Tls::check).
    pub fn check(&self) -> Vec<Problem> {
        let endpoint = self.sasl.as_ref().and_then(Sasl::tls_of_token_endpoint);
        let all = self.tls.iter().chain(endpoint);
        all.flat_map(super::Tls::check).collect()
    }
}

// === impl Given ===

impl Given<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        let text = self.values.get(name)?;
        if let Some(line) = &self.line {
            let key = DEFINITION.keys.iter().find(|key| key.name == name)?;
            return Some(line.option(key.name));
        }
        Some(Secret::new(&self.key(name), text, self.environment))
    }

    fn problem(&self, name: &str, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let value = self.values.get(name).filter(|_| !is_password(name));
        Problem::new(self.key(name), value, message, remedy)
    }

    /// A key that does nothing is one that was meant to do something.
    fn refuse_all(&self, family: &str, otherwise: &str, problems: &mut Vec<Problem>) {
        let protocol = self.values.text("security.protocol");
        for name in self.names.iter().filter(|name| name.starts_with(family)) {
            problems.push(self.problem(
                name,
                format!("has no effect: {} is {protocol}", self.key("security.protocol")),
                format!("{otherwise}, or remove this key"),
            ));
        }
    }
}

fn is_password(name: &str) -> bool {
    let row = DEFINITION.keys.iter().find(|key| key.name == name);
    row.is_none_or(|key| matches!(key.shape, Shape::Password))
}

/// Kafka takes these in any case.
fn normal(name: &str, value: String) -> String {
    match name {
        "security.protocol" => value.trim().to_ascii_uppercase(),
        "sasl.mechanism" => value.trim().to_owned(),
        "ssl.endpoint.identification.algorithm" => value.trim().to_ascii_lowercase(),
        _ => value,
    }
}
