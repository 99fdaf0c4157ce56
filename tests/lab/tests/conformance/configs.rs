use std::collections::BTreeMap;

use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, alter_configs_request,
    describe_configs_request::DescribeConfigsResource,
    describe_configs_response::DescribeConfigsResourceResult,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
};

use crate::{
    connection::{Connection, eventually, text},
    target::Target,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn describe(
    connection: &mut Connection,
    kind: i8,
    name: &str,
) -> Result<BTreeMap<String, DescribeConfigsResourceResult>, i16> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true);
    let mut answer = connection.call(&request, 4);
    let result = answer.results.remove(0);
    if result.error_code != 0 {
        return Err(result.error_code);
    }
    let named = |config: DescribeConfigsResourceResult| (config.name.to_string(), config);
    Ok(result.configs.into_iter().map(named).collect())
}

fn value(connection: &mut Connection, topic: &str, key: &str) -> (String, i8) {
    let config = &describe(connection, TOPIC, topic).unwrap()[key];
    (config.value.as_ref().unwrap().to_string(), config.config_source)
}

fn eventually_is(connection: &mut Connection, topic: &str, key: &str, expected: (&str, i8)) {
    eventually(&format!("{key} to be {expected:?}"), || {
        let (value, source) = value(connection, topic, key);
        (value.as_str(), source) == expected
    });
}

/// Error code.
fn alter(connection: &mut Connection, kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]) -> i16 {
    let config = |(key, operation, value): &(&str, i8, Option<&str>)| {
        AlterableConfig::default()
            .with_name(text(key))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(changes.iter().map(config).collect());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    connection.call(&request, 1).responses[0].error_code
}

pub fn configs_are_altered_one_by_one(target: &Target) {
    let topic = "altered";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[("retention.ms", "1000")]);
    let changes = [
        ("retention.ms", DELETE, None),
        ("max.message.bytes", SET, Some("2000")),
    ];
    assert_eq!(alter(&mut connection, TOPIC, topic, &changes), 0);
    eventually_is(&mut connection, topic, "retention.ms", ("604800000", 5));
    eventually_is(&mut connection, topic, "max.message.bytes", ("2000", 1));
    // It takes effect.
    let large = crate::batch::batch(&[&"x".repeat(3_000)]);
    eventually("the limit to hold", || {
        connection.produce(topic, large.clone()).error_code == 10
    });
    assert_eq!(
        alter(
            &mut connection,
            TOPIC,
            topic,
            &[("max.message.bytes", DELETE, None)]
        ),
        0
    );
    eventually("the limit to be gone", || {
        connection.produce(topic, large.clone()).error_code == 0
    });
}

pub fn configs_are_replaced_as_a_whole(target: &Target) {
    let topic = "replaced";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[("retention.ms", "1000"), ("segment.ms", "2000")]);
    let config = alter_configs_request::AlterableConfig::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text("3000")));
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(topic))
        .with_configs(vec![config]);
    let mut request = AlterConfigsRequest::default()
        .with_resources(vec![resource])
        .with_validate_only(true);
    assert_eq!(connection.call(&request, 2).responses[0].error_code, 0);
    eventually_is(&mut connection, topic, "segment.ms", ("2000", 1));
    request.validate_only = false;
    assert_eq!(connection.call(&request, 2).responses[0].error_code, 0);
    eventually_is(&mut connection, topic, "retention.ms", ("3000", 1));
    eventually_is(&mut connection, topic, "segment.ms", ("604800000", 5));
}

pub fn lists_are_appended_to_and_subtracted_from(target: &Target) {
    let topic = "lists";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[]);
    let mut change = |operation, list: &str, expected: &[&str]| {
        let changes = [("cleanup.policy", operation, Some(list))];
        assert_eq!(alter(&mut connection, TOPIC, topic, &changes), 0);
        eventually("the list", || {
            let (value, _) = value(&mut connection, topic, "cleanup.policy");
            let mut parts: Vec<&str> = value.split(',').collect();
            parts.sort_unstable();
            parts == expected
        });
    };
    change(APPEND, "compact", &["compact", "delete"]);
    change(APPEND, "compact", &["compact", "delete"]);
    change(SUBTRACT, "delete", &["compact"]);
    assert_eq!(
        alter(
            &mut connection,
            TOPIC,
            topic,
            &[("retention.ms", APPEND, Some("1"))]
        ),
        40
    );
}

pub fn impossible_configs_are_refused(target: &Target) {
    let topic = "refused-configs";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[]);
    for (change, code) in [
        (("no.such.key", SET, Some("1")), 40),
        (("retention.ms", SET, Some("soon")), 40),
        (("compression.type", SET, Some("rar")), 40),
        (("min.insync.replicas", SET, Some("0")), 40),
        (("retention.ms", SET, None), 42),
    ] {
        assert_eq!(
            alter(&mut connection, TOPIC, topic, &[change]),
            code,
            "{change:?}"
        );
    }
    // All or nothing.
    let mixed = [
        ("segment.ms", SET, Some("1000")),
        ("retention.ms", SET, Some("soon")),
    ];
    assert_eq!(alter(&mut connection, TOPIC, topic, &mixed), 40);
    eventually_is(&mut connection, topic, "segment.ms", ("604800000", 5));
    assert_eq!(
        alter(
            &mut connection,
            TOPIC,
            "no-such-topic",
            &[("retention.ms", SET, Some("1"))]
        ),
        3
    );
    assert_eq!(describe(&mut connection, TOPIC, "no-such-topic").unwrap_err(), 3);
    assert_eq!(describe(&mut connection, BROKER, "77").unwrap_err(), 42);
    assert_eq!(describe(&mut connection, 99, "x").unwrap_err(), 42);
}

pub fn values_tell_where_they_come_from(target: &Target) {
    let topic = "sources";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[("max.message.bytes", "5000")]);
    let own = &describe(&mut connection, TOPIC, topic).unwrap()["max.message.bytes"];
    let synonyms: Vec<_> = own
        .synonyms
        .iter()
        .map(|synonym| {
            (
                synonym.name.to_string(),
                synonym.value.as_ref().unwrap().to_string(),
                synonym.source,
            )
        })
        .collect();
    let synonym = |name: &str, value: &str, source| (name.to_owned(), value.to_owned(), source);
    let expected = [
        synonym("max.message.bytes", "5000", 1),
        synonym("message.max.bytes", "1048588", 5),
    ];
    assert_eq!((synonyms.as_slice(), own.config_type), (&expected[..], 3));
    // One key of a broker for all its topics. Nobody else's case goes by it.
    assert_eq!(
        alter(
            &mut connection,
            BROKER,
            "",
            &[("log.cleaner.min.compaction.lag.ms", SET, Some("17"))]
        ),
        0
    );
    eventually_is(&mut connection, topic, "min.compaction.lag.ms", ("17", 3));
    assert_eq!(
        alter(
            &mut connection,
            BROKER,
            "",
            &[("log.cleaner.min.compaction.lag.ms", DELETE, None)]
        ),
        0
    );
}

/// Every key of a topic with its default and type: read from both targets at once, in the place where they must be equal.
#[test]
fn topics_have_kafkas_keys_and_defaults() {
    let all = |target: &Target| {
        let mut connection = target.connect();
        connection.create_topic("defaults", 1, &[]);
        let configs = describe(&mut connection, TOPIC, "defaults").unwrap();
        let row = |(name, config): (String, DescribeConfigsResourceResult)| {
            let value = config.value.map(|value| value.to_string());
            (
                name,
                value,
                config.config_type,
                config.read_only,
                config.is_sensitive,
            )
        };
        // The one whose default another case changes for a while.
        let others = configs
            .into_iter()
            .filter(|(name, _)| name != "min.compaction.lag.ms");
        others.map(row).collect::<Vec<_>>()
    };
    assert_eq!(all(Target::embedded()), all(Target::kafka()));
}
