//! The subjects of the mirrored topics, as both registries have them.

use std::sync::Arc;

use towpath_domain::{
    TopicName,
    checks::{Finding, SubjectState},
};
use towpath_plugin_host as host;
use towpath_registry::{Error, Registry};

use super::Subjects;

/// A subject on both sides; never none on both.
pub(super) type Pair = (Option<SubjectState>, Option<SubjectState>);

/// Reads the subjects `<topic>-key` and `<topic>-value` (TopicNameStrategy) of every topic, and those that `schema.subjects` names.
pub(super) async fn read(
    subjects: &Subjects,
    topics: &[(TopicName, TopicName)],
) -> Result<Vec<Pair>, String> {
    let Some((source, target)) = &subjects.registries else {
        return Err("no schema registry is configured".to_owned());
    };
    let told = |error: Error| error.to_string();
    let listed = source.subjects().await.map_err(told)?;
    let mut names: Vec<(String, String)> = topics
        .iter()
        .flat_map(|(topic, mapped)| {
            ["-key", "-value"].map(|suffix| (format!("{topic}{suffix}"), format!("{mapped}{suffix}")))
        })
        .collect();
    if let Some(more) = &subjects.more {
        let more: Vec<String> = listed
            .iter()
            .filter(|subject| more.contains(subject))
            .cloned()
            .collect();
        let mapping = subjects.names.clone();
        // Guests are called: not on this thread.
        let mapped = tokio::task::spawn_blocking(move || {
            let mapped = |subject: String| {
                let target = mapping.subject(&subject);
                (subject, target)
            };
            more.into_iter().map(mapped).collect::<Vec<_>>()
        });
        names.extend(mapped.await.map_err(|error| error.to_string())?);
    }
    names.sort();
    names.dedup();
    let listed_there = Arc::new(target.subjects().await.map_err(told)?);
    let mut pairs = Vec::new();
    for (name, mapped) in names {
        let here = state(source, &listed, &name).await.map_err(told)?;
        let there = state(target, &listed_there, &mapped).await.map_err(told)?;
        if here.is_some() || there.is_some() {
            pairs.push((here, there));
        }
    }
    Ok(pairs)
}

/// Most topics have no subject for keys: one list saves asking for each.
async fn state(registry: &Registry, listed: &[String], name: &str) -> Result<Option<SubjectState>, Error> {
    match listed.iter().any(|subject| subject == name) {
        true => registry.subject(name).await,
        false => Ok(None),
    }
}

pub(super) fn check(
    checker: &mut host::SchemaChecker,
    pairs: &[Pair],
) -> Result<Vec<Finding>, host::CallError> {
    let mut findings = Vec::new();
    for (source, target) in pairs {
        findings.extend(checker.check(source.as_ref(), target.as_ref())?);
    }
    Ok(findings)
}
