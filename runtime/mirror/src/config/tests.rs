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
    match MirrorSource::parse(&all, &[]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn topics_match_whole_names_and_internal_ones_are_left_out() {
    let parsed = MirrorSource::parse(&config(&GOOD), &[]).unwrap();
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
    assert_eq!(
        MirrorSource::parse(&alone, &["w:1".to_owned()]).unwrap().target,
        ["w:1"]
    );
    assert!(
        MirrorSource::parse(&alone, &[]).unwrap_err()[0]
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
