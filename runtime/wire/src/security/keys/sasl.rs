//! `sasl.*`.

use towpath_domain::config::{Config, Problem};

use super::{DEFINITION, Given, tls};
use crate::{
    ClientCredentials, Login, OauthBearer, Sasl, ScramHash, Secret, Tls, TokenEndpoint, TokenSource,
    security::jaas::Jaas,
};

const JAAS: &str = "sasl.jaas.config";
const MECHANISM: &str = "sasl.mechanism";
const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const SCOPE: &str = "sasl.oauthbearer.scope";
const CLIENT_ID: &str = "sasl.oauthbearer.client.credentials.client.id";
const CLIENT_SECRET: &str = "sasl.oauthbearer.client.credentials.client.secret";
const HANDLER: &str = "sasl.login.callback.handler.class";

/// What Kafka's own clients use for the two ways by which tokens come here.
const HANDLERS: [&str; 2] = [
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler",
];

/// None when there are problems.
pub(super) fn parse(given: &Given<'_>, problems: &mut Vec<Problem>) -> Option<Sasl> {
    let before = problems.len();
    let sasl = match given.values.get(MECHANISM) {
        None => {
            let remedy = format!("write one of {}", super::MECHANISMS.join(", "));
            let message = "missing, and Kafka's default, GSSAPI, is not supported";
            problems.push(given.problem(MECHANISM, message, remedy));
            None
        }
        Some("PLAIN") => login(given, "plain.PlainLoginModule", problems).map(Sasl::Plain),
        Some("SCRAM-SHA-256") => scram(given, ScramHash::Sha256, problems),
        Some("SCRAM-SHA-512") => scram(given, ScramHash::Sha512, problems),
        Some("OAUTHBEARER") => oauthbearer(given, problems).map(Sasl::OauthBearer),
        Some(other) => {
            let remedy = match other {
                "GSSAPI" => "let the brokers take SCRAM-SHA-512 or OAUTHBEARER beside Kerberos, and set that",
                "AWS_MSK_IAM" => {
                    "give the cluster SCRAM-SHA-512 users (AWS Secrets Manager) or client certificates, and set that"
                }
                _ => "write PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
            };
            problems.push(given.problem(MECHANISM, "is not supported", remedy));
            None
        }
    };
    if given.values.get(MECHANISM) != Some("OAUTHBEARER") {
        for name in [URL, SCOPE, CLIENT_ID, CLIENT_SECRET, HANDLER] {
            if given.has(name) {
                let message = format!("has no effect: {} is not OAUTHBEARER", given.key(MECHANISM));
                problems.push(given.problem(name, message, "remove it"));
            }
        }
    }
    sasl.filter(|_| problems.len() == before)
}

fn scram(given: &Given<'_>, hash: ScramHash, problems: &mut Vec<Problem>) -> Option<Sasl> {
    let login = login(given, "scram.ScramLoginModule", problems)?;
    Some(Sasl::Scram(hash, login))
}

/// User name and password of a login module.
fn login(given: &Given<'_>, module: &str, problems: &mut Vec<Problem>) -> Option<Login> {
    let line = jaas(given, module, problems)?;
    let mut is_complete = true;
    for (name, value) in &line.options {
        if !["username", "password"].contains(&name.as_str()) {
            problems.push(given.problem(
                JAAS,
                format!("its option {name} is not known"),
                "username and password are; remove it",
            ));
            is_complete = false;
        } else if value.is_empty() {
            problems.push(given.problem(JAAS, format!("its {name} is empty"), "give one"));
            is_complete = false;
        }
    }
    for name in ["username", "password"] {
        if !line.options.contains_key(name) {
            let remedy = format!("write {name}=\"...\" behind the module");
            problems.push(given.problem(JAAS, format!("has no option {name}"), remedy));
            is_complete = false;
        }
    }
    let secret = given.secret(JAAS).filter(|_| is_complete)?;
    Some(Login::new(secret.option("username"), secret.option("password")))
}

/// The line, when its module is the mechanism's.
fn jaas(given: &Given<'_>, module: &str, problems: &mut Vec<Problem>) -> Option<Jaas> {
    let full = format!("org.apache.kafka.common.security.{module}");
    let Some(secret) = given.secret(JAAS) else {
        let remedy = format!("write {full} required username=\"...\" password=\"...\";");
        problems.push(given.problem(JAAS, "missing", remedy));
        return None;
    };
    // What its references lead to was looked at before.
    let line = Jaas::parse(&secret.resolve().ok()?);
    match line {
        Ok(line) if line.module == full => Some(line),
        Ok(line) => {
            let mechanism = given.values.text(MECHANISM);
            let message = format!(
                "names {}, and {} is {mechanism}",
                line.module,
                given.key(MECHANISM)
            );
            problems.push(given.problem(
                JAAS,
                message,
                format!("name {full}, or set the mechanism that fits"),
            ));
            None
        }
        Err(mistake) => {
            problems.push(given.problem(JAAS, mistake.message, mistake.remedy));
            None
        }
    }
}

fn oauthbearer(given: &Given<'_>, problems: &mut Vec<Problem>) -> Option<OauthBearer> {
    let before = problems.len();
    let line = match given.has(JAAS) {
        true => Some(jaas(given, "oauthbearer.OAuthBearerLoginModule", problems)?),
        false => None,
    };
    let mut extensions = Vec::new();
    for (name, value) in line.iter().flat_map(|line| &line.options) {
        if let Some(extension) = name.strip_prefix("extension_") {
            extensions.push((extension.to_owned(), value.clone()));
        } else if !["clientId", "clientSecret", "scope"].contains(&name.as_str()) && !is_of_store(name) {
            let remedy = "clientId, clientSecret, scope, extension_<name>, ssl.truststore.* and ssl.keystore.* are; remove it";
            problems.push(given.problem(JAAS, format!("its option {name} is not known"), remedy));
        }
    }
    if given.has(HANDLER) && !HANDLERS.contains(&given.values.text(HANDLER)) {
        let remedy =
            "remove it: tokens come from a file or a token endpoint, see sasl.oauthbearer.token.endpoint.url";
        problems.push(given.problem(HANDLER, "Java's classes are not loaded here", remedy));
    }
    let option = |key: &'static str, name: &'static str| -> Option<Secret> {
        let in_line = || line.as_ref().is_some_and(|line| line.options.contains_key(name));
        match given.secret(key) {
            Some(secret) => Some(secret),
            None if in_line() => Some(given.secret(JAAS)?.option(name)),
            None => None,
        }
    };
    let (id, secret) = (
        option(CLIENT_ID, "clientId"),
        option(CLIENT_SECRET, "clientSecret"),
    );
    let scope = option(SCOPE, "scope").and_then(|scope| scope.resolve().ok());
    let stores: Config = line
        .iter()
        .flat_map(|line| &line.options)
        .filter(|(name, _)| is_of_store(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let url = given.values.get(URL);
    let is_https = url.is_some_and(|url| url.starts_with("https://"));
    for name in stores.keys().filter(|_| url.is_some() && !is_https) {
        let message = format!(
            "its option {name} has no effect: {} is not https://",
            given.key(URL)
        );
        problems.push(given.problem(JAAS, message, "remove it, or give a URL of https://"));
    }
    let tls = is_https.then(|| tls_of_token_endpoint(given, &stores, problems));
    let source = match (url, url.and_then(|url| url.strip_prefix("file://"))) {
        (None, _) => {
            let remedy = "give the URL of a token endpoint, or file:///path of a file with a token";
            problems.push(given.problem(URL, "missing", remedy));
            return None;
        }
        (_, Some(path)) => {
            if id.is_some() || secret.is_some() || scope.is_some() {
                let message = "is a file, and client id, secret or scope are for a token endpoint";
                problems.push(given.problem(URL, message, "remove them, or give a token endpoint"));
            }
            TokenSource::File(path.into())
        }
        (Some(url), None) => {
            let endpoint: TokenEndpoint = match url.parse() {
                Ok(endpoint) => endpoint,
                Err(mistake) => {
                    let remedy = "write https://host/path, or file:///path";
                    problems.push(given.problem(URL, mistake, remedy));
                    return None;
                }
            };
            let (Some(client_id), Some(client_secret)) = (id, secret) else {
                let message = "missing, or the client's id is: a token endpoint wants both";
                let remedy =
                    format!("give {CLIENT_ID} and {CLIENT_SECRET}, or clientId and clientSecret in {JAAS}");
                problems.push(given.problem(CLIENT_SECRET, message, remedy));
                return None;
            };
            if endpoint.is_plain() {
                tracing::warn!(
                    key = given.key(URL),
                    "the client's secret is sent in clear text: use https://"
                );
            }
            TokenSource::ClientCredentials(Box::new(ClientCredentials {
                endpoint,
                client_id,
                client_secret,
                scope,
                tls,
            }))
        }
    };
    (problems.len() == before).then(|| OauthBearer::new(source, extensions))
}

/// What Kafka's clients take for a token endpoint of `ssl.*` in the JAAS line; the rest has no effect there (`JaasOptionsUtils`).
fn is_of_store(name: &str) -> bool {
    name.starts_with("ssl.truststore.") || name.starts_with("ssl.keystore.") || name == "ssl.key.password"
}

fn tls_of_token_endpoint(given: &Given<'_>, stores: &Config, problems: &mut Vec<Problem>) -> Tls {
    let prefix = format!("{}, option ", given.key(JAAS));
    let (values, mistakes) = DEFINITION.parse(stores, |_| false);
    // A misspelt option may be a password's.
    let is_known = |name: &str| DEFINITION.keys.iter().any(|key| key.name == name);
    problems.extend(mistakes.into_iter().map(|mistake| Problem {
        value: mistake.value.filter(|_| is_known(&mistake.key)),
        key: format!("{prefix}{}", mistake.key),
        ..mistake
    }));
    let options = Given {
        prefix: prefix.into(),
        values,
        names: stores.keys().map(String::as_str).collect(),
        environment: given.environment,
        line: given.secret(JAAS),
    };
    tls::of_a_token_endpoint(&options, problems)
}
