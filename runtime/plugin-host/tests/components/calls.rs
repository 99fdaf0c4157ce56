//! Calls of plugins that behave.

use std::sync::Arc;

use serde_json::{Value, json};
use towpath_plugin_host::{Edit, Effects, Limits, Needs, Pair, Reads, Records};

use crate::guests::{Lab, TestRecords, config};

#[test]
fn route_by_regex_maps_topics_there_and_back() {
    let (_lab, plugin) = Lab::plugin("route_by_regex", Limits::default());
    let mut router = plugin
        .router(&config(&[
            ("regex", r"^legacy\.(.*)"),
            ("replacement", "$1_x"),
            ("reverse.regex", "^(.*)_x$"),
            ("reverse.replacement", "legacy.$1"),
        ]))
        .unwrap();
    assert_eq!(
        router.map_topic("legacy.orders").unwrap().as_deref(),
        Some("orders_x")
    );
    assert_eq!(
        router.unmap_topic("orders_x").unwrap().as_deref(),
        Some("legacy.orders")
    );
    assert_eq!(router.map_topic("orders").unwrap(), None);
}

#[test]
fn mask_field_replaces_fields_and_nothing_else() {
    let (_lab, plugin) = Lab::plugin("mask_field", Limits::default());
    let mut mask = plugin
        .transformation(&config(&[("fields", "card,items[*].card")]))
        .unwrap();
    let reads = Reads {
        value: true,
        ..Reads::default()
    };
    let effects = Effects {
        value: true,
        ..Effects::default()
    };
    assert_eq!(mask.needs(), Needs { reads, effects });
    let batch = TestRecords::values([
        Some(&br#"{"card": 1, "x" : [ ]}"#[..]),
        None,
        Some(br#"{"x":1}"#),
        Some(b"not json"),
        Some(br#"{"items":[{"card":"1"},{"card":{}}]}"#),
    ]);
    let edits = mask.transform(batch).unwrap();
    assert_eq!(edits.values.rows, [0, 4]);
    let values: Vec<&[u8]> = edits.values.values.iter().flatten().collect();
    assert_eq!(
        values,
        [
            &br#"{"card": "***", "x" : [ ]}"#[..],
            br#"{"items":[{"card":"***"},{"card":"***"}]}"#
        ]
    );
    assert!(
        matches!(edits.edits.as_slice(), [(3, Edit::Reject(reason))] if reason.contains("at byte")),
        "{edits:?}"
    );
}

/// The scanner has a vector path on wasm32 alone, which the SDK's own tests do not reach.
#[test]
fn mask_field_agrees_with_serde_json_in_wasm_too() {
    let (_lab, plugin) = Lab::plugin("mask_field", Limits::default());
    let mut mask = plugin
        .transformation(&config(&[("fields", "card,a.card,items[*].card")]))
        .unwrap();
    let mut seed = 0x5EED_u64;
    for _ in 0..40 {
        let documents: Vec<Value> = (0..100).map(|_| document(&mut seed, 4)).collect();
        let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
        let batch = TestRecords::texts(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let edits = mask.transform(batch).unwrap();
        assert!(edits.edits.is_empty(), "{:?}", edits.edits);
        let mut values = edits
            .values
            .rows
            .iter()
            .zip(edits.values.values.iter())
            .peekable();
        for (index, document) in documents.into_iter().enumerate() {
            let expected = masked(document.clone());
            match values.next_if(|(row, _)| **row as usize == index) {
                Some((_, value)) => {
                    assert_eq!(serde_json::from_slice::<Value>(value.unwrap()).unwrap(), expected)
                }
                None => assert_eq!(document, expected),
            }
        }
    }
}

fn document(seed: &mut u64, depth: u32) -> Value {
    let mut below = |limit: u64| {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed % limit
    };
    match below(if depth == 0 { 3 } else { 7 }) {
        0 => json!(below(1000)),
        1 => json!("\"\\\n é{}[]\u{1}".repeat(below(6) as usize) + &"plain ".repeat(below(9) as usize)),
        2 => json!(null),
        3 => (0..below(5)).map(|_| document(seed, depth - 1)).collect(),
        _ => {
            let keys = [
                "card",
                "a",
                "items",
                "other",
                "a\"b",
                "a key of more than sixteen bytes",
            ];
            let count = below(5);
            let names: Vec<&str> = (0..count).map(|_| keys[below(6) as usize]).collect();
            names
                .into_iter()
                .map(|name| (name.to_owned(), document(seed, depth - 1)))
                .collect()
        }
    }
}

fn masked(mut document: Value) -> Value {
    let mask = |holder: Option<&mut Value>| {
        if let Some(card) = holder.and_then(|holder| holder.as_object_mut()?.get_mut("card")) {
            *card = json!("***");
        }
    };
    mask(document.get_mut("a"));
    if let Some(items) = document.get_mut("items").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(|item| mask(Some(item)));
    }
    mask(Some(&mut document));
    document
}

#[test]
fn a_guest_sees_every_declared_column() {
    let (_lab, plugin) = Lab::plugin("hostile", Limits::default());
    let mut echo = plugin.transformation(&config(&[("act", "echo")])).unwrap();
    let edits = echo
        .transform(TestRecords::values([Some(&b"a"[..]), None, Some(b"")]))
        .unwrap();
    let values: Vec<String> = edits
        .values
        .values
        .iter()
        .flatten()
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    let expected = [
        "orders-3@Some(100)/Some(1700000000000) Some(\"k0\")=Some(\"a\")",
        "orders-3@Some(102)/Some(1700000000001) Some(\"k1\")=None",
    ];
    assert_eq!(values, expected);
    assert_eq!(edits.edits, [(2, Edit::Drop)]);
}

#[test]
fn a_header_key_that_is_not_utf8_rejects_its_record_where_headers_are_read() {
    let (_lab, plugin) = Lab::plugin("hostile", Limits::default());
    let mut headers = plugin.transformation(&config(&[("act", "headers")])).unwrap();
    let header = |key: &[u8]| (key.to_vec(), Some(b"v".to_vec()));
    let batch = Arc::new(TestRecords {
        keys: vec![None; 3],
        values: vec![None; 3],
        headers: vec![
            vec![header(b"a"), header(b"a")],
            vec![header(b"a"), header(b"\xff")],
            vec![header(b"b")],
        ],
    });
    let edits = headers.transform(batch).unwrap();
    assert_eq!(edits.values.rows, [0, 2]);
    assert_eq!(
        edits.values.values.iter().flatten().collect::<Vec<_>>(),
        [&b"a,a"[..], b"b"]
    );
    assert!(
        matches!(edits.edits.as_slice(), [(1, Edit::Reject(_))]),
        "{edits:?}"
    );
}

#[test]
fn instances_run_side_by_side_and_outlive_the_host() {
    let lab = Lab::with(&["mask_field"]);
    let (host, _) = lab.open();
    let plugin = Arc::clone(host.plugins().next().unwrap());
    drop(host);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut mask = plugin.transformation(&config(&[("fields", "a")])).unwrap();
                let batch: Arc<dyn Records> = TestRecords::texts(&[r#"{"a":1}"#; 100]);
                for _ in 0..50 {
                    assert_eq!(mask.transform(Arc::clone(&batch)).unwrap().values.rows.len(), 100);
                }
            });
        }
    });
}

#[test]
fn an_empty_batch_is_not_sent_to_the_guest() {
    let (_lab, plugin) = Lab::plugin("hostile", Limits::default());
    let mut trap = plugin.transformation(&config(&[("act", "trap")])).unwrap();
    assert!(trap.transform(TestRecords::texts(&[])).unwrap().is_empty());
}

#[test]
fn a_predicate_says_which_records_match_and_which_it_cannot_read() {
    let (_lab, plugin) = Lab::plugin("examples/predicate", Limits::default());
    let mut predicate = plugin.predicate(&config(&[("name", "h")])).unwrap();
    assert!(!predicate.is_of_topics(), "it reads headers");
    let header = |key: &[u8]| vec![(key.to_vec(), None)];
    let batch = Arc::new(TestRecords {
        headers: vec![
            header(b"h"),
            header(b"other"),
            header(b"h\xff"),
            vec![],
            header(b"h"),
        ],
        keys: vec![None; 5],
        values: vec![None; 5],
    });
    let matching = predicate.matching(batch).unwrap();
    assert_eq!((matching.matches, matching.unreadable), (vec![0, 4], vec![2]));
    assert!(
        plugin.transformation(&[]).is_err() && plugin.validator(&[]).is_err(),
        "it is of one kind"
    );
}

#[test]
fn a_validator_judges_pairs_and_rejects_those_it_cannot_read_itself() {
    let (_lab, plugin) = Lab::plugin("examples/validator", Limits::default());
    let mut validator = plugin.validator(&[]).unwrap();
    let source = TestRecords::texts(&["a", "b", "c"]);
    let target = TestRecords::texts(&["a", "B", "extra"]);
    let pair = |source, target| Pair { source, target };
    let pairs = [
        pair(Some(0), Some(0)),
        pair(Some(1), Some(1)),
        pair(Some(2), None),
        pair(None, Some(2)),
    ];
    let rejections = validator.validate(source, target, &pairs).unwrap();
    let said: Vec<(u32, &str)> = rejections
        .iter()
        .map(|rejection| (rejection.index, rejection.reason.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (1, "values differ"),
            (2, "there is no such record on the target"),
            (3, "there is no such record at the source")
        ]
    );
    let nothing = TestRecords::texts(&[]);
    let one = TestRecords::texts(&["a"]);
    let rejections = validator.validate(one, nothing, &[pair(Some(0), None)]).unwrap();
    assert_eq!(
        rejections.len(),
        1,
        "where every pair lacks a side, the batch of that side is empty"
    );
}
