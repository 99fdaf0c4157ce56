//! What AlterConfigs and IncrementalAlterConfigs have in common: changing the configs of a topic or a broker.

use std::collections::BTreeMap;

use super::describe_configs::{broker, check_access, resource};
use crate::{
    ErrorCode,
    acls::Operation,
    config::{Definition, Kind, broker_key, topic_key},
    context::Context,
    state::{Denied, State},
};

/// What happens to one key.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Set(String),
    /// Back to the default.
    Delete,
    /// Of a list.
    Append(String),
    /// Of a list.
    Subtract(String),
}

/// What the changes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// What the resource has.
    Own,
    /// Nothing: what is not named goes back to its default.
    Defaults,
}

// === impl Base ===

impl Base {
    fn of(self, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        match self {
            Self::Own => own.clone(),
            Self::Defaults => BTreeMap::new(),
        }
    }
}

/// Changes one resource, if the client may: the error code and the message to answer.
pub(super) fn altered(
    ctx: &Context,
    state: &mut State,
    resource: (i8, &str),
    base: Base,
    changes: impl FnOnce() -> Result<Vec<(String, Change)>, Denied>,
    validate_only: bool,
) -> (i16, Option<String>) {
    let altered = check_access(ctx, state, Operation::AlterConfigs, resource)
        .and_then(|()| changes())
        .and_then(|changes| alter(state, resource, base, changes, validate_only));
    match altered {
        Ok(()) => (0, None),
        Err(denied) => (denied.code.code(), Some(denied.message)),
    }
}

/// All of the changes or none.
fn alter(
    state: &mut State,
    (kind, name): (i8, &str),
    base: Base,
    changes: Vec<(String, Change)>,
    validate_only: bool,
) -> Result<(), Denied> {
    match kind {
        resource::TOPIC => {
            let Some(topic) = state.topics.get(name) else {
                return Err(Denied::new(
                    ErrorCode::UnknownTopicOrPartition,
                    format!("The topic '{name}' does not exist."),
                ));
            };
            let altered = apply(base.of(&topic.configs), changes, topic_key)?;
            if !validate_only {
                state.configure_topic(name, altered);
            }
        }
        resource::BROKER => {
            let id = broker(state, name)?;
            let own = match id {
                Some(id) => state.configs.own.get(&id).cloned().unwrap_or_default(),
                None => state.configs.default.clone(),
            };
            let altered = apply(base.of(&own), changes, broker_key)?;
            if !validate_only {
                match id {
                    Some(id) => drop(state.configs.own.insert(id, altered)),
                    None => state.configs.default = altered,
                }
                state.reconfigure();
            }
        }
        other => {
            let message = format!("Unsupported resource type: {other}");
            return Err(Denied::new(ErrorCode::InvalidRequest, message));
        }
    }
    Ok(())
}

fn apply(
    mut configs: BTreeMap<String, String>,
    changes: Vec<(String, Change)>,
    definition_of: impl Fn(&str) -> Option<&'static Definition>,
) -> Result<BTreeMap<String, String>, Denied> {
    let invalid = |message: String| Denied::new(ErrorCode::InvalidConfig, message);
    for (name, change) in changes {
        let definition =
            definition_of(&name).ok_or_else(|| invalid(format!("Unknown topic config name: {name}")))?;
        let list = |configs: &BTreeMap<String, String>| -> Vec<String> {
            let value = configs
                .get(&name)
                .map(String::as_str)
                .or(definition.default)
                .unwrap_or("");
            value
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let is_list = definition.kind == Kind::List;
        let value = match change {
            Change::Delete => {
                configs.remove(&name);
                continue;
            }
            Change::Set(value) => value,
            Change::Append(_) | Change::Subtract(_) if !is_list => {
                let message =
                    format!("Can't append to or subtract from key {name} because its type is not LIST.");
                return Err(invalid(message));
            }
            Change::Append(value) => {
                let mut parts = list(&configs);
                let more: Vec<String> = value.split(',').map(|part| part.trim().to_owned()).collect();
                parts.extend(more.into_iter().filter(|part| !list(&configs).contains(part)));
                parts.join(",")
            }
            Change::Subtract(value) => {
                let mut parts = list(&configs);
                parts.retain(|part| !value.split(',').any(|less| less.trim() == part));
                parts.join(",")
            }
        };
        if let Some(message) = definition.refuse(&value) {
            return Err(invalid(message));
        }
        configs.insert(name, value);
    }
    Ok(configs)
}
