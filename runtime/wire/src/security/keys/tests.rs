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
            "ssl.truststore.location = \"/a\": has no effect: source.cluster.security.protocol is PLAINTEXT; set it to SSL",
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
