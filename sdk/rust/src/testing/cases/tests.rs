//! The runner against plugins that do what a case says, and against those that do not.

use std::{fs, panic::catch_unwind};

use tempfile::TempDir;

use crate::{Batch, Config, ConfigKey, ConfigType, Descriptor, Edits, Needs, Outgoing};

use super::*;

/// Every kind at once: what it does goes by the first byte of a value.
struct Sample;

impl Plugin for Sample {
    fn describe() -> Descriptor {
        Descriptor::new("sample", "0.1.0", "Does something of everything.")
            .key(ConfigKey::required("mode", ConfigType::String).documentation("What to do. Or not to."))
            .key(ConfigKey::default("size", ConfigType::Int, "1").valid_values(&["1", "2"]))
    }

    fn init(config: &mut Config) -> Option<Self> {
        match config.get("mode") {
            Some("wrong") => {
                config.mistake::<()>("mode", "must not be wrong");
                config.mistake("", "nor this")
            }
            _ => Some(Self),
        }
    }

    fn needs(&self) -> Needs {
        let needs = Needs::none().reads_value().reads_offset().reads_timestamp();
        needs.drops().splits().changes_topic()
    }
}

impl Transformation for Sample {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let mut edits = Edits::new();
        for (index, value) in (0..).zip(batch.values().iter()) {
            match value {
                Some(b"drop") => edits.drop(index),
                Some(b"reject") => edits.reject(index, "it says so"),
                Some(b"topic") => edits.set_topic(index, format!("{}-{}", batch.topic(), batch.partition())),
                Some(b"fail") => return Err(Failure::retriable("not now")),
                Some(b"split") => {
                    let outgoing = |value: &[u8]| Outgoing {
                        key: None,
                        value: Some(value.to_vec()),
                        headers: vec![],
                    };
                    edits.replace(index, vec![outgoing(b"1"), outgoing(b"2")]);
                }
                _ => {}
            }
        }
        Ok(edits)
    }
}

impl Router for Sample {
    fn map_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        Ok((topic != "none").then(|| format!("x.{topic}")))
    }

    fn unmap_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        Ok(topic.strip_prefix("x.").map(str::to_owned))
    }
}

impl Predicate for Sample {
    fn matching(&mut self, batch: &Batch<'_>) -> Result<Vec<u32>, Failure> {
        let append_time = batch.timestamp_type() == TimestampType::LogAppendTime;
        let odd = |(index, offset): (u32, &i64)| (append_time && offset % 2 == 1).then_some(index);
        Ok((0..).zip(&batch.offsets()).filter_map(odd).collect())
    }
}

impl Validator for Sample {
    fn validate(
        &mut self,
        source: &Batch<'_>,
        target: &Batch<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, Failure> {
        let reason = format!("{} {} {:?}", source.len(), target.len(), target.offsets());
        Ok(vec![Rejection {
            index: pairs.len() as u32 - 1,
            reason,
        }])
    }
}

/// A folder with one case.
fn cases(config: &str, input: &str, expected: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let case = folder.path().join("case");
    fs::create_dir(&case).unwrap();
    fs::write(case.join("config.json"), config).unwrap();
    fs::write(case.join("input.json"), input).unwrap();
    let expected_file = if expected.starts_with('{') {
        "expected.json"
    } else {
        "error.txt"
    };
    fs::write(case.join(expected_file), expected).unwrap();
    folder
}

/// What a runner panics with; empty: it does not.
fn panics(runner: fn(std::path::PathBuf), folder: &TempDir) -> String {
    let path = folder.path().to_owned();
    match catch_unwind(move || runner(path)) {
        Ok(()) => String::new(),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

const ON: &str = r#"{"mode": "on"}"#;

#[test]
fn edits_are_applied_before_they_are_compared() {
    let input = r#"{"topic": "a", "partition": 3, "records": [{"value": "drop"}, {"value": "reject"}, {"value": "topic"}, {"value": "split"}, {}]}"#;
    let expected = r#"{"records": [{"topic": "a-3", "value": "topic"}, {"value": "1"}, {"value": "2"}, {}],
        "rejected": [{"index": 1, "reason": "it says so"}]}"#;
    transformation::<Sample>(cases(ON, input, expected).path());
    let other = expected.replace("it says so", "it says no");
    let panic = panics(transformation::<Sample>, &cases(ON, input, &other));
    assert!(
        panic.contains("case case:") && panic.contains("+      \"reason\": \"it says so\""),
        "{panic}"
    );
}

#[test]
fn a_call_may_fail() {
    let input = r#"{"records": [{"value": "fail"}]}"#;
    transformation::<Sample>(
        cases(
            ON,
            input,
            r#"{"failure": {"message": "not now", "retriable": true}}"#,
        )
        .path(),
    );
}

#[test]
fn the_other_kinds_are_called_with_what_the_case_says() {
    let topics = r#"{"map": ["a", "none"], "unmap": ["x.a", "a"]}"#;
    router::<Sample>(
        cases(
            ON,
            topics,
            r#"{"map": {"a": "x.a", "none": null}, "unmap": {"x.a": "a", "a": null}}"#,
        )
        .path(),
    );
    let records = r#"{"timestamp-type": "log-append-time", "records": [{"offset": 4}, {}, {"offset": 7}]}"#;
    predicate::<Sample>(cases(ON, records, r#"{"matching": [1, 2]}"#).path());
    let pairs = r#"{"target": {"offsets": true}, "pairs": [{"source": {}, "target": {"offset": 9}}, {"source": {}}]}"#;
    validator::<Sample>(
        cases(
            ON,
            pairs,
            r#"{"rejections": [{"index": 1, "reason": "2 1 [9]"}]}"#,
        )
        .path(),
    );
    let inline = pairs
        .replace(r#"{"offsets": true}"#, "{}")
        .replace(r#"{"offset": 9}"#, "{}");
    validator::<Sample>(
        cases(
            ON,
            &inline,
            r#"{"rejections": [{"index": 1, "reason": "2 1 []"}]}"#,
        )
        .path(),
    );
}

#[test]
fn mistakes_are_the_hosts_first_and_then_the_plugins() {
    let refused =
        |config, error: &str| predicate::<Sample>(cases(config, r#"{"records": [{}]}"#, error).path());
    refused(r#"{"mode": "wrong"}"#, "mode: must not be wrong\nnor this\n");
    refused(
        r#"{"size": "x"}"#,
        "mode: must be given: What to do\nsize: must be a whole number of 32 bits\n",
    );
    refused(r#"{"mode": "wrong", "size": "3"}"#, "size: must be one of 1, 2\n");
    let unknown = cases(r#"{"mood": "on"}"#, r#"{"records": [{}]}"#, "x\n");
    assert!(panics(predicate::<Sample>, &unknown).contains("`mood` is not a key of sample"));
}

#[test]
fn nothing_to_compare_with_is_no_success() {
    let folder = cases(ON, r#"{"records": [{}]}"#, "");
    fs::remove_file(folder.path().join("case/error.txt")).unwrap();
    assert!(panics(predicate::<Sample>, &folder).contains("neither expected.json nor error.txt"));
    let call = |_: &mut Harness<Sample>, _: &Input| Ok(Outcome::Matched(Matched::default()));
    assert_eq!(
        run(folder.path(), Kind::Predicate, true, call),
        Vec::<String>::new(),
        "blessed"
    );
    assert_eq!(panics(predicate::<Sample>, &folder), "");
}
