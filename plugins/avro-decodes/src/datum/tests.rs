//! Against Apache's decoder, and against what it is not asked.

use std::collections::HashMap;

use apache_avro::{Schema as Parsed, from_avro_datum, to_avro_datum, types::Value};

use super::*;

const EVERYTHING: &str = r#"{"type": "record", "name": "R", "namespace": "n.s", "fields": [
    {"name": "a", "type": "int"}, {"name": "b", "type": ["null", "string", "R"]}, {"name": "c", "type": {"type": "array", "items": "double"}},
    {"name": "d", "type": {"type": "map", "values": "boolean"}}, {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}},
    {"name": "f", "type": {"type": "fixed", "name": "F", "size": 3}}, {"name": "g", "type": ["long", "n.s.E"]}, {"name": "h", "type": "bytes"},
    {"name": "i", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}}]}"#;

fn record(b: Value) -> Value {
    let fields = [
        ("a", Value::Int(-7)),
        ("b", b),
        ("c", Value::Array(vec![Value::Double(1.5); 3])),
        (
            "d",
            Value::Map(HashMap::from([("k".to_owned(), Value::Boolean(true))])),
        ),
        ("e", Value::Enum(1, "Y".to_owned())),
        ("f", Value::Fixed(3, vec![1, 2, 3])),
        ("g", Value::Union(1, Box::new(Value::Enum(0, "X".to_owned())))),
        ("h", Value::Bytes(vec![0xff, 0])),
        ("i", Value::Decimal(vec![1, 2].into())),
    ];
    Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

#[test]
fn agrees_with_apaches_decoder_on_sound_and_damaged_data() {
    let parsed = Parsed::parse_str(EVERYTHING).unwrap();
    let schema = Schema::parse(EVERYTHING).unwrap();
    let inner = record(Value::Union(1, Box::new(Value::String("é".to_owned()))));
    let datum = to_avro_datum(&parsed, record(Value::Union(2, Box::new(inner)))).unwrap();
    assert_eq!(check(&schema, &datum), Ok(()));
    let agree = |bytes: &[u8]| {
        let mut rest = bytes;
        let theirs = from_avro_datum(&parsed, &mut rest, None).is_ok() && rest.is_empty();
        assert_eq!(
            check(&schema, bytes).is_ok(),
            theirs,
            "{bytes:?}: {:?}",
            check(&schema, bytes)
        );
    };
    for len in 0..datum.len() {
        agree(&datum[..len]);
    }
    for at in 0..datum.len() {
        for bit in 0..8 {
            let mut damaged = datum.clone();
            damaged[at] ^= 1 << bit;
            agree(&damaged);
        }
    }
    agree(&[&datum[..], &[0]].concat());
}

#[test]
fn what_hostile_bytes_claim_costs_nothing() {
    let problem = |schema: &str, bytes: &[u8]| {
        check(&Schema::parse(schema).unwrap(), bytes).map_err(|error| error.problem)
    };
    let most = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let nulls = r#"{"type": "array", "items": "null"}"#;
    assert_eq!(problem(nulls, &[&most[..], &[0]].concat()), Ok(()));
    assert_eq!(problem(nulls, &most), Err(Problem::End));
    assert_eq!(problem("\"bytes\"", &most), Err(Problem::End));
    assert_eq!(problem("\"string\"", &[1]), Err(Problem::Length));
    assert_eq!(problem("\"long\"", &[0xff; 10]), Err(Problem::Number));
    assert_eq!(problem("\"int\"", &most), Err(Problem::Number));
    let list = r#"{"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}"#;
    assert_eq!(problem(list, &[&[2; 60][..], &[0]].concat()), Ok(()));
    assert_eq!(
        problem(list, &[&[2; 100_000][..], &[0]].concat()),
        Err(Problem::Depth)
    );
    let never_ends = r#"{"type": "record", "name": "S", "fields": [{"name": "self", "type": "S"}]}"#;
    assert_eq!(problem(never_ends, &[]), Err(Problem::Depth));
}

#[test]
fn blocks_may_say_their_length_and_it_must_be_right() {
    let schema = Schema::parse(r#"{"type": "array", "items": "int"}"#).unwrap();
    assert_eq!(
        check(&schema, &[3, 4, 2, 4, 2, 6, 0]),
        Ok(()),
        "two items in two bytes, then one"
    );
    assert!(check(&schema, &[3, 6, 2, 4, 0]).is_err());
}
