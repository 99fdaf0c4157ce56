//! Whether two registries have the same schema, however they write it.

use serde_json::Value;
use towpath_plugin::{SchemaReference, SchemaVersion};

/// Type, contents and what it refers to. Registries keep texts as they came or print them anew: JSON is compared as JSON (the order of an object's keys
/// says nothing in Avro or JSON Schema), Protobuf without regard to white space.
pub fn is_same(one: &SchemaVersion, other: &SchemaVersion) -> bool {
    one.schema_type == other.schema_type && refers_to_same(one, other) && has_same_text(one, other)
}

/// By name and version; subjects may have other names on the target, where topics have.
fn refers_to_same(one: &SchemaVersion, other: &SchemaVersion) -> bool {
    let names = |version: &SchemaVersion| {
        let mut names: Vec<(String, u32)> = version
            .references
            .iter()
            .map(|SchemaReference { name, version, .. }| (name.clone(), *version))
            .collect();
        names.sort();
        names
    };
    names(one) == names(other)
}

fn has_same_text(one: &SchemaVersion, other: &SchemaVersion) -> bool {
    if one.schema == other.schema {
        return true;
    }
    if one.schema_type == "PROTOBUF" {
        return one.schema.split_whitespace().eq(other.schema.split_whitespace());
    }
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (json(&one.schema), json(&other.schema)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}
