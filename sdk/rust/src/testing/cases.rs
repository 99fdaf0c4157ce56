//! Golden cases, run natively. Their files are described in the crate `towpath-plugin-cases`.
//!
//! ```text
//! cases/masks-nested-fields/config.json      {"fields": "customer.card"}
//! cases/masks-nested-fields/input.json       {"records": [{"key": "k", "value": {"json": {"customer": {"card": 17}}}}]}
//! cases/masks-nested-fields/expected.json    {"records": [{"key": "k", "value": {"json": {"customer": {"card": "***"}}}}]}
//! cases/bad-path/config.json                 {"fields": "a..b"}
//! cases/bad-path/error.txt                   fields: "a..b": a name is missing
//! ```
//!
//! A plugin's tests name the folder, relative to its crate:
//!
//! ```no_run
//! # use towpath_plugin::*;
//! # struct Upper;
//! # impl Plugin for Upper {
//! #     fn describe() -> Descriptor { Descriptor::new("upper", "0.1.0", "") }
//! #     fn init(_: &mut Config) -> Option<Self> { Some(Self) }
//! # }
//! # impl Transformation for Upper {
//! #     fn transform(&mut self, _: &Batch<'_>) -> Result<Edits, Failure> { Ok(Edits::new()) }
//! # }
//! // #[test]
//! fn cases() {
//!     towpath_plugin::testing::cases::transformation::<Upper>("cases");
//! }
//! ```
//!
//! `BLESS=1 cargo test` writes `expected.json` or `error.txt` anew, of new cases too: read the diff.

use std::{collections::BTreeMap, path::Path};

use towpath_plugin_cases::{
    self as golden, Case, Input, Judged, Kind, Matched, Outcome, Outgoing, Routed, Transformed, read_all,
};

use super::{Harness, TestBatch, TestRecord, check, registry::Registries};
use crate::{
    AclChecker, ConfigError, Failure, Header, Pair, Plugin, Predicate, Rejection, Router, SchemaChecker,
    TimestampType, Transformation, Validator, registry::SchemaText,
};

mod findings;

/// Runs a transformation's cases, and panics with every difference.
#[track_caller]
pub fn transformation<P: Transformation>(folder: impl AsRef<Path>) {
    settle(run::<P>(
        folder.as_ref(),
        Kind::Transformation,
        bless(),
        |plugin, input| {
            let Input::Records(records) = input else {
                unreachable!("a transformation's input")
            };
            super::registry::hold(held(&records.registry));
            let mut transformed = Transformed::default();
            for (index, outcome) in (0..).zip(plugin.transform(&batch(records, true))?) {
                match outcome {
                    super::Outcome::Written(record) => transformed.records.push(outgoing(record)),
                    super::Outcome::Dropped => {}
                    super::Outcome::Replaced(records) => {
                        transformed.records.extend(records.into_iter().map(outgoing))
                    }
                    super::Outcome::Rejected(reason) => {
                        transformed.rejected.push(golden::Rejection { index, reason });
                    }
                }
            }
            Ok(Outcome::Transformed(transformed))
        },
    ));
}

/// Runs a router's cases, and panics with every difference.
#[track_caller]
pub fn router<P: Router>(folder: impl AsRef<Path>) {
    settle(run::<P>(
        folder.as_ref(),
        Kind::Router,
        bless(),
        |plugin, input| {
            let Input::Topics(topics) = input else {
                unreachable!("a router's input")
            };
            let mut routed = Routed::default();
            for topic in &topics.map {
                routed.map.insert(topic.clone(), plugin.map_topic(topic)?);
            }
            for topic in &topics.unmap {
                routed.unmap.insert(topic.clone(), plugin.unmap_topic(topic)?);
            }
            Ok(Outcome::Routed(routed))
        },
    ));
}

/// Runs a predicate's cases, and panics with every difference.
#[track_caller]
pub fn predicate<P: Predicate>(folder: impl AsRef<Path>) {
    settle(run::<P>(
        folder.as_ref(),
        Kind::Predicate,
        bless(),
        |plugin, input| {
            let Input::Records(records) = input else {
                unreachable!("a predicate's input")
            };
            let matching = plugin.matching(&batch(records, true))?;
            Ok(Outcome::Matched(Matched { matching }))
        },
    ));
}

/// Runs a validator's cases, and panics with every difference.
#[track_caller]
pub fn validator<P: Validator>(folder: impl AsRef<Path>) {
    settle(run::<P>(
        folder.as_ref(),
        Kind::Validator,
        bless(),
        |plugin, input| {
            let Input::Pairs(input) = input else {
                unreachable!("a validator's input")
            };
            let pair = |pair: &golden::Pair| Pair {
                source: pair.source,
                target: pair.target,
            };
            let pairs: Vec<Pair> = input.pairs.iter().map(pair).collect();
            let (source, target) = (
                batch(&input.source, true),
                batch(&input.target, input.target_offsets),
            );
            let rejection = |Rejection { index, reason }| golden::Rejection { index, reason };
            let rejections = plugin.validate(&source, &target, &pairs)?;
            Ok(Outcome::Judged(Judged {
                rejections: rejections.into_iter().map(rejection).collect(),
            }))
        },
    ));
}

/// Runs a schema checker's cases, and panics with every difference.
#[track_caller]
pub fn schema_checker<P: SchemaChecker>(folder: impl AsRef<Path>) {
    settle(run::<P>(
        folder.as_ref(),
        Kind::SchemaChecker,
        bless(),
        |checker, input| {
            let Input::Subjects(subjects) = input.clone() else {
                unreachable!("a schema checker's input")
            };
            let state = |state: Option<golden::Subject>| state.map(findings::subject);
            let findings = checker
                .plugin
                .check(state(subjects.source), state(subjects.target))?;
            Ok(findings::checked(findings))
        },
    ));
}

/// Runs an ACL checker's cases, and panics with every difference.
#[track_caller]
pub fn acl_checker<P: AclChecker>(folder: impl AsRef<Path>) {
    settle(run::<P>(
        folder.as_ref(),
        Kind::AclChecker,
        bless(),
        |checker, input| {
            let Input::Acls(acls) = input.clone() else {
                unreachable!("an ACL checker's input")
            };
            let [due, pending, target] = [acls.due, acls.pending, acls.target]
                .map(|bindings| bindings.into_iter().map(findings::binding).collect());
            Ok(findings::checked(checker.plugin.check(due, pending, target)?))
        },
    ));
}

fn bless() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// Every problem goes into one panic: a change of a plugin is seen whole.
#[track_caller]
fn settle(problems: Vec<String>) {
    assert!(
        problems.is_empty(),
        "{}\nBLESS=1 writes what the plugin does now",
        problems.join("\n\n")
    );
}

fn run<P: Plugin>(
    folder: &Path,
    kind: Kind,
    bless: bool,
    call: impl Fn(&mut Harness<P>, &Input) -> Result<Outcome, Failure>,
) -> Vec<String> {
    let cases = match read_all(folder, kind) {
        Ok(cases) => cases,
        Err(errors) => return vec![errors.to_string()],
    };
    let mut problems = Vec::new();
    for case in cases {
        // shown when the plugin panics
        eprintln!("case {}", case.name);
        if let Err(problem) = settled(&case, bless, &call) {
            problems.push(problem);
        }
    }
    problems
}

fn settled<P: Plugin>(
    case: &Case,
    bless: bool,
    call: impl Fn(&mut Harness<P>, &Input) -> Result<Outcome, Failure>,
) -> Result<(), String> {
    let outcome = match configured::<P>(case)? {
        Err(mistakes) => Outcome::Refused(mistakes.iter().map(ConfigError::to_string).collect()),
        Ok(mut plugin) => {
            let input = case.require_input().map_err(|error| error.to_string())?;
            call(&mut plugin, input).unwrap_or_else(|Failure { message, retriable }| {
                Outcome::Failed(golden::Failure { message, retriable })
            })
        }
    };
    if bless {
        return case
            .bless(&outcome)
            .map(|_| ())
            .map_err(|error| error.to_string());
    }
    case.require_expected().map_err(|error| error.to_string())?;
    case.compare(&outcome).map_err(|mismatch| mismatch.to_string())
}

/// The outer error is a case that says nothing about the plugin.
fn configured<P: Plugin>(case: &Case) -> Result<Result<Harness<P>, Vec<ConfigError>>, String> {
    let descriptor = P::describe();
    let unknown = |key: &str| !descriptor.config.iter().any(|known| known.name == key);
    if let Some((key, _)) = case.config.iter().find(|(key, _)| unknown(key)) {
        return Err(format!(
            "case {}: config.json: `{key}` is not a key of {}",
            case.name, descriptor.name
        ));
    }
    let mistakes = check::check(&descriptor, &case.config);
    if !mistakes.is_empty() {
        return Ok(Err(mistakes));
    }
    let config: Vec<(&str, &str)> = case
        .config
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    Ok(Harness::new(&config))
}

fn held(registry: &golden::Registry) -> Registries {
    let texts = |schemas: &BTreeMap<u32, golden::Schema>| {
        let text = |schema: &golden::Schema| SchemaText {
            schema_type: schema.schema_type.clone(),
            schema: schema.schema.clone(),
            references: schema.references.clone(),
        };
        schemas.iter().map(|(id, schema)| (*id, text(schema))).collect()
    };
    Registries {
        source: texts(&registry.source),
        target: texts(&registry.target),
        ids: registry.ids.iter().map(|(from, to)| (*from, *to)).collect(),
    }
}

fn batch(records: &golden::Records, has_offsets: bool) -> TestBatch {
    TestBatch {
        topic: records.topic.clone(),
        partition: records.partition,
        timestamp_type: match records.timestamp_type {
            golden::TimestampType::CreateTime => TimestampType::CreateTime,
            golden::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
        },
        has_offsets,
        records: records.records.iter().cloned().map(incoming).collect(),
    }
}

fn incoming(record: golden::Record) -> TestRecord {
    let header = |golden::Header { key, value }| Header { key, value };
    TestRecord {
        topic: None,
        key: record.key,
        value: record.value,
        headers: record.headers.into_iter().map(header).collect(),
        timestamp: record.timestamp,
        offset: record.offset,
    }
}

fn outgoing(record: TestRecord) -> Outgoing {
    let header = |Header { key, value }| golden::Header { key, value };
    Outgoing {
        topic: record.topic,
        key: record.key,
        value: record.value,
        headers: record.headers.into_iter().map(header).collect(),
    }
}

#[cfg(test)]
mod tests;
