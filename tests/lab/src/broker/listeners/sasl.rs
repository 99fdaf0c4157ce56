//! A listener with every SASL mechanism that the worker speaks, in clear text.

use std::{fs, path::Path};

use anyhow::Result;

use super::Bound;

/// Users (name, password) by mechanism. OAUTHBEARER takes unsigned tokens, by Kafka's own validator for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sasl {
    pub plain: Vec<(String, String)>,
    pub scram_sha_256: Vec<(String, String)>,
    pub scram_sha_512: Vec<(String, String)>,
    /// `connections.max.reauth.ms` of SCRAM-SHA-512: a connection that does not authenticate again by then is closed.
    pub session_ms: Option<u64>,
}

const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";";

// === impl Sasl ===

impl Sasl {
    /// Arguments of `StorageTool format --add-scram`.
    pub(super) fn scram_arguments(&self) -> Vec<String> {
        let users = |mechanism: &'static str, users: &[(String, String)]| {
            users
                .iter()
                .map(|(name, password)| format!("{mechanism}=[name={name},password={password}]"))
                .collect::<Vec<_>>()
        };
        [
            users("SCRAM-SHA-256", &self.scram_sha_256),
            users("SCRAM-SHA-512", &self.scram_sha_512),
        ]
        .concat()
    }

    pub(super) fn bind(&self, dir: &Path, address: String) -> Result<Bound> {
        let client_properties = dir.join("client-sasl.properties");
        let (name, password) = self.plain.first().cloned().unwrap_or_default();
        fs::write(
            &client_properties,
            format!(
                "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={} username=\"{name}\" password=\"{}\";\n",
                "org.apache.kafka.common.security.plain.PlainLoginModule required",
                escaped(&password)
            ),
        )?;
        let users: String = self
            .plain
            .iter()
            .map(|(name, password)| format!(" user_{name}=\"{}\"", escaped(password)))
            .collect();
        let plain = format!("org.apache.kafka.common.security.plain.PlainLoginModule required{users};");
        let key = |key: &str| format!("listener.name.sasl.{key}");
        let mut broker_properties = vec![
            (
                key("sasl.enabled.mechanisms"),
                "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned(),
            ),
            (key("plain.sasl.jaas.config"), plain),
            (key("scram-sha-256.sasl.jaas.config"), SCRAM.to_owned()),
            (key("scram-sha-512.sasl.jaas.config"), SCRAM.to_owned()),
            (key("oauthbearer.sasl.jaas.config"), OAUTH.to_owned()),
        ];
        if let Some(session) = self.session_ms {
            broker_properties.push((
                key("scram-sha-512.connections.max.reauth.ms"),
                session.to_string(),
            ));
        }
        Ok(Bound {
            name: "SASL",
            protocol: "SASL_PLAINTEXT",
            bind: address.clone(),
            address,
            broker_properties,
            client_properties,
        })
    }
}

/// A properties file takes a backslash for the start of an escape.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
}
