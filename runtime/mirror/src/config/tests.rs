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
fn plugins_are_checked_all_at_once() {
    assert_eq!(
        problems(&[
            ("transforms", "a,a,b"),
            ("transforms.a.type", "mask-field@0.1.0"),
            ("transforms.a.predicate", "q"),
            ("transforms.a.negate", "perhaps"),
            ("transforms.b.negate", "true"),
            ("transforms.c.type", "x"),
            ("predicates", "p"),
            ("predicates.p.type", "is-tombstone"),
            ("validators", "v"),
            ("validators.v.on.reject", "explode"),
            ("schema.checkers", "s"),
        ]),
        [
            r#"transforms = "a": this alias stands twice; name each alias once"#,
            r#"transforms.c.type = "x": belongs to an alias that `transforms` does not name; add c to `transforms`, or remove the key"#,
            "transforms.b.type: missing; name a plugin in plugin.path: name or name@version",
            r#"transforms.a.negate = "perhaps": not a boolean; write true or false"#,
            r#"transforms.a.predicate = "q": is no alias that `predicates` names; add q to `predicates`, with predicates.q.type"#,
            r#"predicates = "p": no transformation asks this predicate; name it by transforms.<alias>.predicate=p, or remove it"#,
            "validators.v.type: missing; name a plugin in plugin.path: name or name@version",
            "schema.checkers.s.type: missing; name a plugin in plugin.path: name or name@version",
        ]
    );
    assert_eq!(
        problems(&[
            ("validators", "v"),
            ("validators.v.type", "x"),
            ("validators.v.on.reject", "explode"),
            ("transforms", "b"),
            ("transforms.b.type", "y"),
            ("transforms.b.negate", "true"),
        ]),
        [
            r#"transforms.b.negate = "true": has no effect without a predicate; add transforms.b.predicate, or remove the key"#,
            r#"validators.v.on.reject = "explode": not one of the values; write fail, skip, dead-letter or tag"#,
        ]
    );
}

#[test]
fn a_dead_letter_queue_is_there_where_it_is_needed_and_nowhere_else() {
    const VALIDATOR: [(&str, &str); 3] = [
        ("validators", "v"),
        ("validators.v.type", "x"),
        ("validators.v.on.reject", "dead-letter"),
    ];
    let queue = |name| ("errors.deadletterqueue.topic.name", name);
    assert_eq!(
        problems(&VALIDATOR),
        [
            r#"validators.v.on.reject = "dead-letter": there is no dead letter queue; set errors.deadletterqueue.topic.name"#
        ]
    );
    assert_eq!(
        problems(&[queue("dead letters")]),
        [
            r#"errors.deadletterqueue.topic.name = "dead letters": is no topic name; 1 to 249 of a-z A-Z 0-9 . _ -"#
        ]
    );
    let idle = problems(&[queue("dead")]);
    assert!(
        idle[0].contains("has no effect: nothing is sent there"),
        "{idle:?}"
    );
    assert_eq!(
        problems(&[queue("dead"), ("errors.tolerance", "all")]),
        [] as [&str; 0]
    );
    let both: Vec<_> = VALIDATOR.into_iter().chain([queue("dead")]).collect();
    assert_eq!(problems(&both), [] as [&str; 0]);
}

#[test]
fn plugins_and_their_conditions_are_read() {
    let mut all = config(&GOOD);
    all.extend(config(&[
        ("transforms", "mask"),
        ("transforms.mask.type", "mask-field@1.2"),
        ("transforms.mask.predicate", "pii"),
        ("transforms.mask.negate", "TRUE"),
        ("transforms.mask.fields", "card"),
        ("predicates", "pii"),
        ("predicates.pii.type", "topic-name-matches"),
        ("predicates.pii.pattern", "public.*"),
        ("validators", "contract"),
        ("validators.contract.type", "json-schema"),
        ("errors.retry.timeout", "-1"),
    ]));
    let parsed = MirrorSource::parse(&all, &Defaults::default()).unwrap();
    let Plugins {
        transforms,
        predicates,
        validators,
        ..
    } = parsed.plugins;
    let condition = Condition {
        predicate: "pii".to_owned(),
        negate: true,
    };
    assert_eq!(transforms[0].condition, Some(condition));
    assert_eq!(
        transforms[0].attached.config,
        [("fields".to_owned(), "card".to_owned())]
    );
    assert_eq!(
        predicates[0].config,
        [("pattern".to_owned(), "public.*".to_owned())]
    );
    assert_eq!(validators[0].on_reject, OnReject::Fail, "unless told otherwise");
    assert_eq!(
        validators[0].attached.key("on.reject"),
        "validators.contract.on.reject"
    );
    assert_eq!(parsed.errors.retry_timeout, None);
    assert_eq!(parsed.errors.tolerance, Tolerance::None);
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

#[test]
fn mistakes_about_registries_name_the_cluster_the_key_and_the_remedy() {
    let found = problems(&[
        ("source.cluster.schema.registry.url", "registry:8081"),
        ("source.cluster.schema.registry.basic.auth.user.info", "u:hidden"),
        ("source.cluster.schema.registry.bearer.auth.token", "hidden"),
        ("target.cluster.schema.registry.url", "http://registry:8081"),
        (
            "target.cluster.schema.registry.basic.auth.credentials.source",
            "USER_INFO",
        ),
    ]);
    let begins = [
        "source.cluster.schema.registry.url = \"registry:8081\": ",
        "source.cluster.schema.registry.bearer.auth.token: is given beside schema.registry.basic.auth.user.info; give one of the two",
        "target.cluster.schema.registry.basic.auth.credentials.source = \"USER_INFO\": has no effect: schema.registry.basic.auth.user.info of that cluster is missing; name user:password in",
    ];
    assert_eq!(found.len(), begins.len(), "{found:?}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin) && !found.contains("hidden"), "{found}");
    }
    let found = problems(&[("target.cluster.schema.registry.bearer.auth.token", "hidden")]);
    assert_eq!(
        found,
        [
            "target.cluster.schema.registry.bearer.auth.token: has no effect: schema.registry.url of that cluster is missing; name target.cluster.schema.registry.url too"
        ]
    );
}

#[test]
fn offsets_are_preserved_only_where_nothing_is_doubled() {
    assert_eq!(
        problems(&[
            ("offsets.mode", "preserve"),
            ("delivery.guarantee", "at-least-once")
        ]),
        [
            r#"offsets.mode = "preserve": delivery.guarantee is at-least-once: a record that is doubled moves all behind it; leave one of both out"#
        ]
    );
    assert_eq!(
        problems(&[("offsets.mode", "same")]),
        [r#"offsets.mode = "same": not one of the choices; write one of auto, translate, preserve"#]
    );
}
