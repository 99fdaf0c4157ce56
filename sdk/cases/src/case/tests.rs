//! Cases in a temporary folder.

use tempfile::TempDir;

use super::*;
use crate::{Header, Outgoing, Pair, Record, Rejection, TimestampType};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn case(kind: Kind, files: &[(&str, &str)]) -> Result<Case, String> {
    let folder = folder(files);
    Case::read(folder.path(), kind).map_err(|error| {
        let place = format!("{}/", folder.path().display());
        error.to_string().replace(&place, "")
    })
}

fn input_of(kind: Kind, input: &str) -> Result<Input, String> {
    let case = case(kind, &[("config.json", "{}"), ("input.json", input)])?;
    Ok(case.input.unwrap())
}

#[test]
fn what_is_left_out_of_records_has_defaults() {
    let json = r#"{"records": [{}, {"offset": 7, "timestamp": -1, "key": "k", "value": {"json": [1]}, "headers": [{"key": "h", "value": null}]}, {}]}"#;
    let Input::Records(records) = input_of(Kind::Predicate, json).unwrap() else {
        panic!("a predicate is called with records");
    };
    assert_eq!((records.topic.as_str(), records.partition), ("test", 0));
    assert_eq!(records.timestamp_type, TimestampType::CreateTime);
    let header = Header {
        key: "h".to_owned(),
        value: None,
    };
    let full = Record {
        offset: 7,
        timestamp: -1,
        key: Some(b"k".to_vec()),
        value: Some(b"[1]".to_vec()),
        headers: vec![header],
    };
    let last = Record {
        offset: 8,
        ..Record::default()
    };
    assert_eq!(records.records, [Record::default(), full, last]);
}

#[test]
fn pairs_are_laid_out_as_two_batches() {
    let json = r#"{"topic": "a", "target": {"topic": "b", "timestamp-type": "log-append-time"}, "pairs": [
        {"source": {"value": "1"}, "target": null}, {"target": {"value": "2"}}, {"source": {"value": "3"}, "target": {"value": "4"}}]}"#;
    let Input::Pairs(pairs) = input_of(Kind::Validator, json).unwrap() else {
        panic!("a validator is called with pairs");
    };
    let values = |records: &[Record]| -> Vec<u8> {
        records
            .iter()
            .flat_map(|record| record.value.clone().unwrap())
            .collect()
    };
    assert_eq!(
        (values(&pairs.source.records), values(&pairs.target.records)),
        (b"13".to_vec(), b"24".to_vec())
    );
    let pair = |source, target| Pair { source, target };
    assert_eq!(
        pairs.pairs,
        [pair(Some(0), None), pair(None, Some(0)), pair(Some(1), Some(1))]
    );
    assert_eq!(
        (pairs.source.topic.as_str(), pairs.target.topic.as_str()),
        ("a", "b")
    );
    assert_eq!(pairs.target.timestamp_type, TimestampType::LogAppendTime);
    assert!(!pairs.target_offsets);
}

#[test]
fn mistakes_in_a_file_name_file_and_field() {
    let cases = [
        (
            Kind::Transformation,
            r#"{"records": [{}, {"valeu": "x"}]}"#,
            "input.json: `records[1].valeu`: unknown field",
        ),
        (
            Kind::Transformation,
            r#"{"records": [{"value": {"hex": "00"}}]}"#,
            "input.json: `records[0].value`: must be a text",
        ),
        (
            Kind::Transformation,
            r#"{"records": [{"headers": [{"key": "k"}]}]}"#,
            "input.json: `records[0].headers[0]`: missing field `value`",
        ),
        (
            Kind::Transformation,
            r#"{"records": []}"#,
            "input.json: `records`: a batch has at least one record",
        ),
        (
            Kind::Transformation,
            r#"{"records": [{"offset": 3}, {"offset": 3}]}"#,
            "input.json: `records[1].offset`: offsets ascend from 0: at least 4",
        ),
        (
            Kind::Transformation,
            r#"{"topics": "x", "records": [{}]}"#,
            "input.json: `topics`: unknown field",
        ),
        (Kind::Transformation, "{", "input.json: EOF"),
        (
            Kind::Transformation,
            r#"{"records": [{}]} x"#,
            "input.json: trailing characters",
        ),
        (Kind::Router, r#"{"map": "a"}"#, "input.json: `map`: invalid type"),
        (
            Kind::Validator,
            r#"{"pairs": [{"source": null}]}"#,
            "input.json: `pairs[0]`: has neither",
        ),
        (
            Kind::Validator,
            r#"{"pairs": []}"#,
            "input.json: `pairs`: there is at least one",
        ),
        (
            Kind::Validator,
            r#"{"pairs": [{"target": {"offset": 1}}]}"#,
            "input.json: `pairs[0].target.offset`: a record about to be written",
        ),
    ];
    for (kind, json, expected) in cases {
        let error = input_of(kind, json).unwrap_err();
        assert!(error.starts_with(expected), "{json}: {error}");
    }
    for (config, expected) in [
        (r#"{"size": 7}"#, "config.json: `size`: invalid type"),
        (
            r#"{"size": "7", "size": "8"}"#,
            "config.json: `size` is given twice",
        ),
        (
            "[]",
            "config.json: invalid type: sequence, expected an object of strings",
        ),
    ] {
        let error = case(Kind::Router, &[("config.json", config)]).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_folder_that_is_no_case_is_told() {
    let config = ("config.json", "{}");
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[], "config.json: "),
        (&[config, ("inputs.json", "")], "inputs.json is no file of a case"),
        (
            &[config, ("expected.json", r#"{"matching": []}"#)],
            "input.json is missing",
        ),
        (
            &[
                config,
                ("expected.json", r#"{"matching": []}"#),
                ("error.txt", ""),
            ],
            "has both",
        ),
    ];
    for (files, expected) in cases {
        let error = case(Kind::Predicate, files).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let empty = TempDir::new().unwrap();
    assert!(matches!(
        read_all(empty.path(), Kind::Router).unwrap_err().0[..],
        [Error::Empty(_)]
    ));
}

#[test]
fn cases_are_read_by_name_and_all_their_mistakes_at_once() {
    let plugin = TempDir::new().unwrap();
    for name in ["b", "a"] {
        fs::create_dir(plugin.path().join(name)).unwrap();
        fs::write(plugin.path().join(name).join("config.json"), "{}").unwrap();
    }
    let cases = read_all(plugin.path(), Kind::Router).unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(matches!(
        cases[0].require_expected(),
        Err(Error::NothingExpected(_))
    ));
    assert!(matches!(cases[0].require_input(), Err(Error::NoInput(_))));
    for name in ["a", "b"] {
        fs::write(plugin.path().join(name).join("config.json"), "").unwrap();
    }
    assert_eq!(
        read_all(plugin.path(), Kind::Router)
            .unwrap_err()
            .to_string()
            .lines()
            .count(),
        2
    );
}

#[test]
fn a_difference_is_shown_line_by_line() {
    let files = [
        ("config.json", "{}"),
        ("input.json", r#"{"records": [{}]}"#),
        (
            "expected.json",
            r#"{"records": [{"key": "k", "value": {"json": {"a": 1, "b": 2}}}]}"#,
        ),
    ];
    let case = case(Kind::Transformation, &files).unwrap();
    let record = |value: &str| Outgoing {
        topic: None,
        key: Some(b"k".to_vec()),
        value: Some(value.into()),
        headers: vec![],
    };
    let outcome = |value| {
        Outcome::Transformed(Transformed {
            records: vec![record(value)],
            rejected: vec![],
        })
    };
    assert_eq!(case.compare(&outcome(r#"{"a":1,"b":2}"#)), Ok(()));
    let shown = case
        .compare(&outcome(r#"{"a":1,"b":3}"#))
        .unwrap_err()
        .to_string();
    let changed: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with(['+', '-']))
        .collect();
    let expected = [
        "--- expected.json",
        "+++ what the plugin does (expected.json)",
        "-          \"b\": 2",
        "+          \"b\": 3",
    ];
    assert_eq!(changed, expected, "{shown}");
}

#[test]
fn an_accepted_configuration_differs_from_a_refused_one() {
    let case = case(
        Kind::Router,
        &[("config.json", "{}"), ("error.txt", "a: must be b\n")],
    )
    .unwrap();
    assert_eq!(
        case.compare(&Outcome::Refused(vec!["a: must be b".to_owned()])),
        Ok(())
    );
    let shown = case
        .compare(&Outcome::Routed(Routed::default()))
        .unwrap_err()
        .to_string();
    assert!(
        shown.contains("-a: must be b") && shown.contains("+  \"map\": {}"),
        "{shown}"
    );
}

#[test]
fn what_is_blessed_is_expected_from_then_on() {
    let files = [
        ("config.json", "{}"),
        ("input.json", r#"{"pairs": [{"source": {}}]}"#),
    ];
    let folder = folder(&files);
    let read = || Case::read(folder.path(), Kind::Validator).unwrap();
    let rejection = Rejection {
        index: 0,
        reason: "lost".to_owned(),
    };
    let failure = crate::Failure {
        message: "no answer".to_owned(),
        retriable: true,
    };
    let outcomes = [
        Outcome::Judged(Judged {
            rejections: vec![rejection],
        }),
        Outcome::Refused(vec!["a: is wrong".to_owned(), "b: is wrong".to_owned()]),
        Outcome::Failed(failure),
        Outcome::Judged(Judged::default()),
    ];
    for outcome in outcomes {
        assert!(read().bless(&outcome).unwrap());
        assert_eq!(
            read().expected.as_ref(),
            Some(&outcome),
            "the other file is gone too"
        );
        assert!(!read().bless(&outcome).unwrap());
    }
    let text = "{ \"rejections\" : [] }";
    fs::write(folder.path().join("expected.json"), text).unwrap();
    read().bless(&Outcome::Judged(Judged::default())).unwrap();
    let kept = fs::read_to_string(folder.path().join("expected.json")).unwrap();
    assert_eq!(kept, text, "what says the same stays as it was written");
    let other = Outcome::Matched(Matched::default());
    assert!(matches!(read().bless(&other), Err(Error::Kind { .. })));
}
