use super::*;

fn config(pairs: &[(&str, &str)]) -> Config {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

const GOOD: [(&str, &str); 4] = [
    ("connector.class", "MirrorSource"),
    ("source.cluster.bootstrap.servers", "a:1"),
    ("target.cluster.bootstrap.servers", "b:2"),
    ("topics", r"orders,legacy\..*"),
];

fn problems(more: &[(&str, &str)]) -> Vec<String> {
    let mut all = config(&GOOD);
    all.extend(config(more));
    match MirrorSource::parse(&all, &Defaults::default()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn topics_match_whole_names_and_internal_ones_are_left_out() {
    let parsed = MirrorSource::parse(&config(&GOOD), &Defaults::default()).unwrap();
    assert!(parsed.topics.contains("orders") && parsed.topics.contains("legacy.a"));
    assert!(!parsed.topics.contains("orders2") && !parsed.topics.contains("legacy.a.internal"));
    assert_eq!(
        parsed.topics.unmatched(["orders", "x"].into_iter()),
        [r"legacy\..*"]
    );
}

#[test]
fn the_workers_cluster_is_the_target_when_none_is_named() {
    let mut alone = config(&GOOD);
    alone.remove("target.cluster.bootstrap.servers");
    let worker = Defaults {
        bootstrap_servers: vec!["w:1".to_owned()],
        ..Defaults::default()
    };
    assert_eq!(MirrorSource::parse(&alone, &worker).unwrap().target, ["w:1"]);
    assert!(
        MirrorSource::parse(&alone, &Defaults::default()).unwrap_err()[0]
            .to_string()
            .starts_with("target.cluster.bootstrap.servers: missing")
    );
}

#[test]
fn a_bad_regular_expression_names_field_value_and_reason() {
    assert_eq!(
        problems(&[("topics", "orders,(open")]),
        [
            r#"topics = "(open": not a regular expression: unclosed group; correct it; a literal name needs no escapes but for its dots"#
        ]
    );
}

#[test]
fn transforms_are_checked_all_at_once() {
    assert_eq!(
        problems(&[
            ("transforms", "a,a,b"),
            ("transforms.a.type", "mask-field@0.1.0"),
            ("transforms.c.type", "x"),
            ("predicates", "p")
        ]),
        [
            r#"predicates = "p": this kind of plugin cannot be attached to a pipeline in this version; remove the key; transformations and routers under `transforms` can be"#,
            r#"transforms = "a": this alias stands twice; name each alias once"#,
            r#"transforms.c.type = "x": belongs to an alias that `transforms` does not name; add c to `transforms`, or remove the key"#,
            "transforms.b.type: missing; name a plugin in plugin.path: name or name@version",
        ]
    );
}

#[test]
fn each_cluster_has_its_own_security_and_the_workers_goes_with_its_servers() {
    let encrypted = config(&[("security.protocol", "SSL")]);
    let worker = Defaults {
        bootstrap_servers: vec!["w:1".to_owned()],
        security: Security::parse(&encrypted, "", &Default::default()).unwrap(),
        ..Defaults::default()
    };
    let mut all = config(&GOOD);
    all.extend(config(&[("source.cluster.security.protocol", "SSL")]));
    let parsed = MirrorSource::parse(&all, &worker).unwrap();
    assert!(parsed.source_security.tls.is_some());
    assert!(
        parsed.target_security.tls.is_none(),
        "the connector names its target itself"
    );
    all.remove("target.cluster.bootstrap.servers");
    assert!(
        MirrorSource::parse(&all, &worker)
            .unwrap()
            .target_security
            .tls
            .is_some()
    );
    all.extend(config(&[("target.cluster.security.protocol", "PLAINTEXT")]));
    let problems = MirrorSource::parse(&all, &worker).unwrap_err();
    assert!(
        problems[0].to_string().starts_with(
            "target.cluster.security.protocol: has no effect: target.cluster.bootstrap.servers is missing"
        ),
        "{problems:?}"
    );
}

#[test]
fn a_security_key_without_a_cluster_says_where_it_belongs() {
    let found = problems(&[
        ("ssl.truststore.password", "hidden"),
        ("target.cluster.ssl.key.password", "hidden"),
    ]);
    assert_eq!(
        found,
        [
            "ssl.truststore.password: is about one of two clusters, and does not say which; write source.cluster.ssl.truststore.password, or target.cluster.ssl.truststore.password",
            "target.cluster.ssl.key.password: has no effect: target.cluster.security.protocol is PLAINTEXT; set it to SSL or SASL_SSL, or remove this key",
        ]
    );
}
