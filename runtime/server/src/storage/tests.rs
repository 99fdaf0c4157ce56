//! Rows, and the table that they make.

use super::*;

fn config(topics: &str) -> Config {
    [("connector.class", "MirrorSource"), ("topics", topics)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::default();
    for (key, value) in rows {
        table.row(key, value.as_deref()).unwrap();
    }
    table
}

fn text(row: &Row) -> (&str, Option<&str>) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (text(&row.0), row.1.as_deref().map(text))
}

#[test]
fn rows_are_stored_in_this_format_for_good() {
    let value = r#"{"v":1,"properties":{"connector.class":"MirrorSource","topics":"orders"}}"#;
    assert_eq!(
        text(&connector("a", &config("orders"))),
        ("connector-a", Some(value))
    );
    let stored = [
        (Target::Running, "STARTED"),
        (Target::Paused, "PAUSED"),
        (Target::Stopped, "STOPPED"),
    ];
    for (wanted, word) in stored {
        let row = target("a", wanted);
        let value = format!(r#"{{"v":1,"state":"{word}"}}"#);
        assert_eq!(text(&row), ("target-state-a", Some(value.as_str())));
        assert_eq!(table(&[row]).target("a"), wanted);
    }
    let [config, target] = gone("a");
    assert_eq!(text(&config), ("connector-a", None));
    assert_eq!(text(&target), ("target-state-a", None));
    let owner = rows::owner("127.0.0.1:8083", ProducerId { id: 7, epoch: 3 });
    let value = r#"{"v":1,"worker":"127.0.0.1:8083","producer":7,"epoch":3}"#;
    assert_eq!(text(&owner), ("towpath-worker", Some(value)));
}

#[test]
fn the_last_row_counts_and_a_connector_that_comes_again_runs() {
    let [no_config, no_target] = gone("a");
    let all = [
        connector("a", &config("first")),
        target("a", Target::Stopped),
        connector("b", &config("other")),
        no_config,
        no_target,
        connector("a", &config("second")),
    ];
    let before = table(&all[..3]);
    assert_eq!(before.connectors["a"], config("first"));
    assert_eq!(before.target("a"), Target::Stopped);
    let deleted = table(&all[..5]);
    assert_eq!(deleted.connectors.keys().collect::<Vec<_>>(), ["b"]);
    let again = table(&all);
    assert_eq!(again.connectors["a"], config("second"));
    assert_eq!(again.target("a"), Target::Running);
    // A version that has this field more.
    let later = br#"{"v":1,"properties":{},"later":true}"#.to_vec();
    let later = table(&[(b"connector-a".to_vec(), Some(later))]);
    assert!(later.connectors["a"].is_empty() && later.check(&TopicName::new("t")).is_ok());
}

#[test]
fn a_row_that_cannot_be_read_is_told_by_name_until_another_has_replaced_it() {
    let newer = (b"connector-a".to_vec(), Some(br#"{"v":2}"#.to_vec()));
    let connects = (
        b"target-state-b".to_vec(),
        Some(br#"{"state":"STARTED"}"#.to_vec()),
    );
    let foreign = (b"session-key".to_vec(), Some(b"{}".to_vec()));
    let bad = table(&[newer.clone(), connects, foreign]);
    assert_eq!(bad.foreign, 1);
    let told = bad
        .check(&TopicName::new("towpath-configs"))
        .unwrap_err()
        .to_string();
    let parts = [
        "topic towpath-configs",
        "connector-a: it has format 2, this version knows 1",
        "target-state-b: it does not say its format",
    ];
    for part in parts {
        assert!(told.contains(part), "{told}");
    }
    let mended = table(&[newer, connector("a", &config("orders"))]);
    assert!(mended.check(&TopicName::new("t")).is_ok());
}
