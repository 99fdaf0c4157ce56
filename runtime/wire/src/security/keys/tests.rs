use super::*;

fn parse(pairs: &[(&str, &str)]) -> Result<Security, Vec<String>> {
    let config = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let environment = Environment::new([("STORE".to_owned(), "/stores/trust.pem".to_owned())]);
    Security::parse(&config, "source.cluster.", &environment)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn nothing_given_is_plain_text() {
    let other = [
        ("source.cluster.bootstrap.servers", "a:1"),
        ("target.cluster.ssl.x", "y"),
        ("ssl.x", "y"),
    ];
    let security = parse(&other).unwrap();
    assert!(security.tls.is_none() && security.sasl.is_none());
}

#[test]
fn references_stand_for_what_they_refer_to() {
    let security = parse(&[
        ("source.cluster.security.protocol", "ssl"),
        ("source.cluster.ssl.truststore.location", "${env:STORE}"),
        ("source.cluster.ssl.endpoint.identification.algorithm", "HTTPS"),
    ]);
    let tls = security.unwrap().tls.unwrap();
    assert!(format!("{tls:?}").contains("/stores/trust.pem"), "{tls:?}");
    assert!(format!("{tls:?}").contains("Https"), "{tls:?}");
}

#[test]
fn all_mistakes_come_at_once_and_without_secrets() {
    let problems = parse(&[
        ("source.cluster.security.protocol", "SSL"),
        ("source.cluster.ssl.truststore.location", "/trust.pem"),
        ("source.cluster.ssl.truststore.certificates", "hidden"),
        ("source.cluster.ssl.keystore.key", "hidden"),
        ("source.cluster.ssl.truststor.password", "hidden"),
        ("source.cluster.ssl.enabled.protocols", "TLSv1.1,TLSv1.2"),
        (
            "source.cluster.ssl.cipher.suites",
            "TLS_RSA_WITH_AES_128_CBC_SHA,TLS_AES_128_GCM_SHA257",
        ),
        ("source.cluster.ssl.keymanager.algorithm", "SunX509"),
        ("source.cluster.ssl.keystore.password", "${file:/nowhere:a}"),
        ("source.cluster.ssl.key.password", ""),
    ])
    .unwrap_err();
    let beginnings = [
        "source.cluster.ssl.keymanager.algorithm: is about Java's own TLS, which is not used here; remove it",
        "source.cluster.ssl.keystore.password: ${file:/nowhere:a}: /nowhere cannot be read: No such file",
        "source.cluster.ssl.truststor.password: unknown key; did you mean \"ssl.truststore.password\"?",
        "source.cluster.ssl.key.password: empty; give a value, or remove the key",
        "source.cluster.ssl.enabled.protocols = \"TLSv1.1\": is not supported",
        "source.cluster.ssl.cipher.suites = \"TLS_RSA_WITH_AES_128_CBC_SHA\": is not supported: it has no forward secrecy",
        "source.cluster.ssl.cipher.suites = \"TLS_AES_128_GCM_SHA257\": is not supported: it has no forward secrecy or no authenticated \
         encryption, or is not known; did you mean TLS_AES_128_GCM_SHA256?",
        "source.cluster.ssl.truststore.certificates: stands beside source.cluster.ssl.truststore.location; give one of the two",
        "source.cluster.ssl.keystore.certificate.chain: missing, and source.cluster.ssl.keystore.key is given; give both",
    ];
    assert_eq!(problems.len(), beginnings.len(), "{problems:#?}");
    for (problem, beginning) in problems.iter().zip(beginnings) {
        assert!(problem.starts_with(beginning), "{problem}\n{beginning}");
        assert!(!problem.contains("hidden"), "{problem}");
    }
}

#[test]
fn keys_that_do_nothing_are_mistakes() {
    for (pairs, expected) in [
        (
            &[("source.cluster.ssl.truststore.location", "/a")][..],
            "ssl.truststore.location = \"/a\": has no effect: source.cluster.security.protocol is PLAINTEXT; set it to SSL or SASL_SSL",
        ),
        (
            &[
                ("source.cluster.security.protocol", "SSL"),
                ("source.cluster.ssl.truststore.password", "hidden"),
            ],
            "ssl.truststore.password: has no effect without source.cluster.ssl.truststore.location; name the store",
        ),
        (
            &[
                ("source.cluster.security.protocol", "SSL"),
                ("source.cluster.ssl.key.password", "hidden"),
            ],
            "ssl.key.password: has no effect without source.cluster.ssl.keystore.location",
        ),
        (
            &[
                ("source.cluster.security.protocol", "SSL"),
                ("source.cluster.ssl.keystore.location", "/a"),
                ("source.cluster.ssl.keystore.type", "PEM"),
                ("source.cluster.ssl.keystore.password", "hidden"),
            ],
            "ssl.keystore.password: a PEM store has no password; remove it",
        ),
        (
            &[
                ("source.cluster.security.protocol", "SSL"),
                ("source.cluster.ssl.truststore.certificates", "hidden"),
                ("source.cluster.ssl.truststore.type", "JKS"),
            ],
            "ssl.truststore.type = \"JKS\": what is given in the configuration itself is PEM",
        ),
        (
            &[
                ("source.cluster.security.protocol", "SSL"),
                ("source.cluster.ssl.protocol", "TLSv1.2"),
                ("source.cluster.ssl.enabled.protocols", "TLSv1.3"),
            ],
            "ssl.protocol = \"TLSv1.2\": leaves none of ssl.enabled.protocols",
        ),
        (
            &[
                ("source.cluster.security.protocol", "SSL"),
                ("source.cluster.ssl.enabled.protocols", "TLSv1.2"),
                ("source.cluster.ssl.cipher.suites", "TLS_AES_128_GCM_SHA256"),
            ],
            "ssl.cipher.suites = \"TLS_AES_128_GCM_SHA256\": has none for the versions",
        ),
    ] {
        let problems = parse(pairs).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains(expected), "{problems:#?}");
        assert!(!problems[0].contains("hidden"), "{problems:#?}");
    }
}

const SCRAM: &str =
    "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"u\" password=\"hidden\";";

fn sasl(pairs: &[(&str, &str)]) -> Result<Security, Vec<String>> {
    let pairs: Vec<_> = [("security.protocol", "SASL_PLAINTEXT")]
        .iter()
        .chain(pairs)
        .map(|(key, value)| (format!("source.cluster.{key}"), *value))
        .collect();
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    parse(&pairs)
}

#[test]
fn mechanisms_are_taken_with_their_credentials() {
    let plain = SCRAM.replace("scram.Scram", "plain.Plain");
    for (mechanism, line) in [
        ("PLAIN", plain.as_str()),
        ("SCRAM-SHA-256", SCRAM),
        ("SCRAM-SHA-512", SCRAM),
    ] {
        let security = sasl(&[("sasl.mechanism", mechanism), ("sasl.jaas.config", line)]).unwrap();
        assert!(security.tls.is_none());
        assert_eq!(security.principal().as_deref(), Some("User:u"));
        let sasl = security.sasl.unwrap();
        assert_eq!(sasl.mechanism(), mechanism);
        assert!(!format!("{sasl:?}").contains("hidden"), "{sasl:?}");
    }
    let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";
    let url = (
        "sasl.oauthbearer.token.endpoint.url",
        "https://login.example/token",
    );
    for keys in [
        vec![
            url,
            ("sasl.oauthbearer.client.credentials.client.id", "i"),
            ("sasl.oauthbearer.client.credentials.client.secret", "hidden"),
        ],
        vec![
            url,
            (
                "sasl.jaas.config",
                "MODULE clientId=\"i\" clientSecret=\"hidden\" scope=\"s\" extension_a=\"b\";",
            ),
            (
                "sasl.login.callback.handler.class",
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
            ),
        ],
        vec![
            url,
            (
                "sasl.jaas.config",
                "MODULE clientId=\"i\" clientSecret=\"hidden\" ssl.truststore.location=\"/trust.p12\" ssl.truststore.password=\"hidden\";",
            ),
        ],
        vec![
            ("sasl.oauthbearer.token.endpoint.url", "file:///token"),
            ("sasl.jaas.config", "MODULE ;"),
        ],
    ] {
        let keys: Vec<_> = keys
            .iter()
            .map(|(key, value)| (*key, value.replace("MODULE", module)))
            .chain([("sasl.mechanism", "OAUTHBEARER".to_owned())])
            .collect();
        let keys: Vec<_> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let security = sasl(&keys).unwrap();
        assert!(!format!("{security:?}").contains("hidden"), "{security:?}");
    }
}

/// They are opened at the start as the brokers' are, and secrets among them are read anew at each use.
#[test]
fn stores_for_a_token_endpoint_are_checked_and_their_passwords_may_be_references() {
    let folder = tempfile::tempdir().unwrap();
    let passwords = folder.path().join("passwords");
    std::fs::write(&passwords, "trust=hidden\n").unwrap();
    let store = folder.path().join("trust.jks");
    // What a JKS store begins with, and nothing behind it.
    std::fs::write(&store, [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]).unwrap();
    let of = |store: &std::path::Path| {
        let line = format!(
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId=i clientSecret=s \
             ssl.truststore.location=\"{}\" ssl.truststore.password=\"${{file:{}:trust}}\";",
            store.display(),
            passwords.display()
        );
        let keys = [
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.oauthbearer.token.endpoint.url", "https://login.example"),
            ("sasl.jaas.config", line.as_str()),
        ];
        let problems = sasl(&keys).unwrap().check();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (path, said) in [
        (folder.path().join("none"), "cannot be read: No such file"),
        (store, "JKS"),
    ] {
        let problems = of(&path);
        let [problem] = &problems[..] else {
            panic!("{problems:#?}")
        };
        let key = "source.cluster.sasl.jaas.config, option ssl.truststore.";
        assert!(problem.starts_with(key) && problem.contains(said), "{problem}");
        assert!(!problem.contains("hidden"), "{problem}");
    }
}

#[test]
fn what_is_wrong_with_a_mechanism_is_one_sentence_without_secrets() {
    let oauth = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";
    let of = |rest: &str| format!("{oauth} {rest};");
    let url = "sasl.oauthbearer.token.endpoint.url";
    for (pairs, expected) in [
        (
            vec![],
            "source.cluster.sasl.mechanism: missing, and Kafka's default, GSSAPI, is not supported; write one of PLAIN",
        ),
        (
            vec![("sasl.mechanism", "GSSAPI".to_owned())],
            "source.cluster.sasl.mechanism = \"GSSAPI\": is not supported; let the brokers take SCRAM-SHA-512 or OAUTHBEARER",
        ),
        (
            vec![("sasl.mechanism", "AWS_MSK_IAM".to_owned())],
            "source.cluster.sasl.mechanism = \"AWS_MSK_IAM\": is not supported; give the cluster SCRAM-SHA-512 users",
        ),
        (
            vec![("sasl.mechanism", "PLAIN".to_owned())],
            "source.cluster.sasl.jaas.config: missing; write org.apache.kafka.common.security.plain.PlainLoginModule required",
        ),
        (
            vec![
                ("sasl.mechanism", "PLAIN".to_owned()),
                ("sasl.jaas.config", SCRAM.to_owned()),
            ],
            "source.cluster.sasl.jaas.config: names org.apache.kafka.common.security.scram.ScramLoginModule, and \
             source.cluster.sasl.mechanism is PLAIN; name org.apache.kafka.common.security.plain.PlainLoginModule",
        ),
        (
            vec![
                ("sasl.mechanism", "SCRAM-SHA-256".to_owned()),
                ("sasl.jaas.config", SCRAM.replace("username=\"u\"", "")),
            ],
            "source.cluster.sasl.jaas.config: has no option username; write username=\"...\"",
        ),
        (
            vec![
                ("sasl.mechanism", "SCRAM-SHA-256".to_owned()),
                ("sasl.jaas.config", SCRAM.to_owned()),
                (url, "file:///token".to_owned()),
            ],
            "source.cluster.sasl.oauthbearer.token.endpoint.url = \"file:///token\": has no effect",
        ),
        (
            vec![("sasl.mechanism", "OAUTHBEARER".to_owned())],
            "source.cluster.sasl.oauthbearer.token.endpoint.url: missing; give the URL of a token endpoint",
        ),
        (
            vec![
                ("sasl.mechanism", "OAUTHBEARER".to_owned()),
                (url, "login".to_owned()),
            ],
            "source.cluster.sasl.oauthbearer.token.endpoint.url = \"login\": begins neither with https://",
        ),
        (
            vec![
                ("sasl.mechanism", "OAUTHBEARER".to_owned()),
                (url, "https://login.example".to_owned()),
                ("sasl.jaas.config", of("clientId=\"i\"")),
            ],
            "source.cluster.sasl.oauthbearer.client.credentials.client.secret: missing, or the client's id is",
        ),
        (
            vec![
                ("sasl.mechanism", "OAUTHBEARER".to_owned()),
                (url, "file:///token".to_owned()),
                ("sasl.jaas.config", of("unsecuredLoginStringClaim_sub=\"hidden\"")),
            ],
            "source.cluster.sasl.jaas.config: its option unsecuredLoginStringClaim_sub is not known; clientId",
        ),
        (
            vec![
                ("sasl.mechanism", "OAUTHBEARER".to_owned()),
                (url, "file:///token".to_owned()),
                ("sasl.jaas.config", of("ssl.truststore.password=\"hidden\"")),
            ],
            "source.cluster.sasl.jaas.config: its option ssl.truststore.password has no effect: \
             source.cluster.sasl.oauthbearer.token.endpoint.url is not https://; remove it",
        ),
        (
            vec![
                ("sasl.mechanism", "OAUTHBEARER".to_owned()),
                (url, "https://login.example".to_owned()),
                (
                    "sasl.jaas.config",
                    of("clientId=i clientSecret=hidden ssl.truststore.password=hidden"),
                ),
            ],
            "source.cluster.sasl.jaas.config, option ssl.truststore.password: has no effect without \
             source.cluster.sasl.jaas.config, option ssl.truststore.location; name the store",
        ),
        (
            vec![
                ("sasl.mechanism", "OAUTHBEARER".to_owned()),
                (url, "https://login.example".to_owned()),
                (
                    "sasl.jaas.config",
                    of("clientId=i clientSecret=hidden ssl.truststore.lokation=hidden"),
                ),
            ],
            "source.cluster.sasl.jaas.config, option ssl.truststore.lokation",
        ),
        (
            vec![
                ("sasl.mechanism", "OAUTHBEARER".to_owned()),
                (url, "https://login.example".to_owned()),
                (
                    "sasl.jaas.config",
                    of("clientId=i clientSecret=hidden ssl.cipher.suites=hidden"),
                ),
            ],
            "source.cluster.sasl.jaas.config: its option ssl.cipher.suites is not known; clientId",
        ),
        (
            vec![
                ("sasl.mechanism", "OAUTHBEARER".to_owned()),
                (url, "file:///token".to_owned()),
                (
                    "sasl.login.callback.handler.class",
                    "com.example.Handler".to_owned(),
                ),
            ],
            "source.cluster.sasl.login.callback.handler.class = \"com.example.Handler\": Java's classes are not loaded here",
        ),
        (
            vec![
                ("sasl.mechanism", "PLAIN".to_owned()),
                ("sasl.jaas.config", SCRAM.replace("scram.Scram", "plain.Plain")),
                ("sasl.kerberos.service.name", "kafka".to_owned()),
            ],
            "source.cluster.sasl.kerberos.service.name: is about Kerberos (GSSAPI)",
        ),
    ] {
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let problems = sasl(&pairs).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].starts_with(expected), "{}\n{expected}", problems[0]);
        assert!(!problems[0].contains("hidden"), "{problems:#?}");
    }
    let problems = parse(&[("source.cluster.sasl.mechanism", "PLAIN")]).unwrap_err();
    assert!(
        problems[0]
            .contains("has no effect: source.cluster.security.protocol is PLAINTEXT; set it to SASL_SSL"),
        "{problems:?}"
    );
}
