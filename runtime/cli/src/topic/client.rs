//! Files of Kafka client properties, as Kafka's own console tools take them with `--command-config`, for librdkafka.

use std::{fs::File, io::BufReader, path::Path};

use towpath_domain::config::{Config, Problem};
use towpath_wire::{Environment, Sasl, Secret, Security, security::Tls};

/// librdkafka's properties; every mistake as a sentence.
pub(super) fn read(path: &Path, environment: &Environment) -> Result<Vec<(String, String)>, Vec<String>> {
    let at = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let file = File::open(path).map_err(|error| {
        vec![at(&format!(
            "cannot be read: {error}; name an existing properties file"
        ))]
    })?;
    let config: Config = java_properties::read(BufReader::new(file))
        .map_err(|error| {
            vec![at(&format!(
                "is not a Java properties file: {error}; write key=value, one a line"
            ))]
        })?
        .into_iter()
        .collect();
    properties(&config, environment).map_err(|problems| problems.iter().map(|problem| at(problem)).collect())
}

fn properties(config: &Config, environment: &Environment) -> Result<Vec<(String, String)>, Vec<Problem>> {
    let mut problems: Vec<Problem> = config
        .keys()
        .filter(|key| !Security::owns(key))
        .map(|key| {
            let message = "has no effect here";
            Problem::new(
                key,
                None,
                message,
                "remove it; security.protocol, ssl.* and sasl.* can be given",
            )
        })
        .collect();
    // librdkafka offers what OpenSSL does.
    for key in ["ssl.cipher.suites", "ssl.enabled.protocols", "ssl.protocol"] {
        if config.contains_key(key) {
            let message = "cannot be passed on to librdkafka, which this command reads with";
            problems.push(Problem::new(key, None, message, "remove it"));
        }
    }
    let security = match Security::parse(config, "", environment) {
        Ok(security) => security,
        Err(mistakes) => {
            problems.extend(mistakes);
            return Err(problems);
        }
    };
    let protocol = match (&security.tls, &security.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    let mut properties = vec![("security.protocol".to_owned(), protocol.to_owned())];
    if let Some(tls) = &security.tls {
        match encrypted(tls) {
            Ok(more) => properties.extend(more),
            Err(mistakes) => problems.extend(mistakes),
        }
    }
    if let Some(sasl) = &security.sasl {
        match authenticated(sasl) {
            Ok(more) => properties.extend(more),
            Err(mistake) => problems.push(mistake),
        }
    }
    if problems.is_empty() {
        Ok(properties)
    } else {
        Err(problems)
    }
}

fn authenticated(sasl: &Sasl) -> Result<Vec<(String, String)>, Problem> {
    let (Sasl::Plain(login) | Sasl::Scram(_, login)) = sasl else {
        let message = "OAUTHBEARER cannot be passed on to librdkafka, which this command reads with";
        let remedy = "use a user of PLAIN or SCRAM, or a client certificate";
        return Err(Problem::new("sasl.mechanism", None, message, remedy));
    };
    let resolve = |secret: &Secret| secret.resolve().map_err(|unresolved| unresolved.0);
    Ok(vec![
        ("sasl.mechanism".to_owned(), sasl.mechanism().to_owned()),
        ("sasl.username".to_owned(), resolve(&login.username)?),
        ("sasl.password".to_owned(), resolve(&login.password)?),
    ])
}

fn encrypted(tls: &Tls) -> Result<Vec<(String, String)>, Vec<Problem>> {
    let pem = tls.to_pem()?;
    let check = if pem.checks_host_name { "https" } else { "none" };
    let given = [
        ("ssl.ca.pem", pem.authorities),
        ("ssl.certificate.pem", pem.chain),
        ("ssl.key.pem", pem.key),
        ("ssl.endpoint.identification.algorithm", Some(check.to_owned())),
    ];
    Ok(given
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn users_are_passed_on_and_tokens_are_not() {
        let module =
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=u password=\"p w\";";
        let given = config(&[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.jaas.config", module),
        ]);
        let expected = [
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.username", "u"),
            ("sasl.password", "p w"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(properties(&given, &Environment::default()).unwrap(), expected);
        let given = config(&[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.oauthbearer.token.endpoint.url", "file:///token"),
        ]);
        let problems = properties(&given, &Environment::default()).unwrap_err();
        assert!(
            problems[0]
                .to_string()
                .contains("OAUTHBEARER cannot be passed on"),
            "{problems:?}"
        );
    }

    #[test]
    fn what_librdkafka_cannot_do_is_refused_and_all_mistakes_come_at_once() {
        let given = config(&[
            ("security.protocol", "SSL"),
            ("ssl.protocol", "TLSv1.3"),
            ("acks", "all"),
            ("ssl.truststore.location", "/nowhere/trust.pem"),
            ("ssl.keystore.location", "/nowhere/key.pem"),
        ]);
        let problems = properties(&given, &Environment::default()).unwrap_err();
        let sentences: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(sentences.len(), 4, "{sentences:#?}");
        for (sentence, beginning) in sentences.iter().zip([
            "acks: has no effect here; remove it",
            "ssl.protocol: cannot be passed on to librdkafka",
            "ssl.truststore.location = \"/nowhere/trust.pem\": cannot be read",
            "ssl.keystore.location = \"/nowhere/key.pem\": cannot be read",
        ]) {
            assert!(sentence.starts_with(beginning), "{sentence}");
        }
    }
}
