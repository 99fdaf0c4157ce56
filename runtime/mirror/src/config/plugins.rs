//! `transforms=a,b` and `transforms.<alias>.*`, as Connect writes them, and the other kinds of plugins in the same form.

use towpath_domain::{
    config::{Config, Problem, Values},
    plugin::Reference,
};

const TRANSFORMS: Group = Group {
    name: "transforms",
    own: &["predicate", "negate"],
};
const PREDICATES: Group = Group {
    name: "predicates",
    own: &[],
};
const VALIDATORS: Group = Group {
    name: "validators",
    own: &["on.reject"],
};

const SCHEMA_CHECKERS: Group = Group {
    name: "schema.checkers",
    own: &[],
};
const ACL_CHECKERS: Group = Group {
    name: "acl.checkers",
    own: &[],
};
const GROUPS: [&Group; 5] = [
    &TRANSFORMS,
    &PREDICATES,
    &VALIDATORS,
    &SCHEMA_CHECKERS,
    &ACL_CHECKERS,
];

/// The plugins of a pipeline.
#[derive(Clone, Debug, Default)]
pub struct Plugins {
    pub transforms: Vec<Transform>,
    pub predicates: Vec<Attached>,
    pub validators: Vec<Validator>,
    pub schema_checkers: Vec<Attached>,
    pub acl_checkers: Vec<Attached>,
}

/// A plugin as a user attaches it.
#[derive(Clone, Debug)]
pub struct Attached {
    /// such as `transforms`
    pub group: &'static str,
    pub alias: String,
    pub plugin: Reference,
    /// the plugin's own keys, without their prefix
    pub config: Vec<(String, String)>,
}

/// A router or a transformation.
#[derive(Clone, Debug)]
pub struct Transform {
    pub attached: Attached,
    /// none: it applies to every record
    pub condition: Option<Condition>,
}

/// `transforms.<alias>.predicate` and `transforms.<alias>.negate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// the alias of a predicate
    pub predicate: String,
    /// the transformation applies to what does not match
    pub negate: bool,
}

#[derive(Clone, Debug)]
pub struct Validator {
    pub attached: Attached,
    pub on_reject: OnReject,
}

/// What becomes of a record that a validator rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReject {
    /// the partition stops before it
    Fail,
    /// it is not written
    Skip,
    /// it goes to the dead letter queue instead
    DeadLetter,
    /// it is written, with the reason in a header
    Tag,
}

/// A kind of attachment.
struct Group {
    name: &'static str,
    /// keys of the attachment, not of the plugin, besides `type`
    own: &'static [&'static str],
}

/// What stands under one alias.
struct Entry {
    attached: Attached,
    /// the values of [`Group::own`]
    own: Vec<Option<String>>,
}

// === impl Plugins ===

impl Plugins {
    pub fn is_empty(&self) -> bool {
        let Self {
            transforms,
            predicates,
            validators,
            schema_checkers,
            acl_checkers,
        } = self;
        transforms.is_empty()
            && predicates.is_empty()
            && validators.is_empty()
            && schema_checkers.is_empty()
            && acl_checkers.is_empty()
    }

    pub(super) fn owns(key: &str) -> bool {
        GROUPS.iter().any(|group| {
            key.strip_prefix(group.name)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    pub(super) fn parse(config: &Config, values: &Values, problems: &mut Vec<Problem>) -> Self {
        let predicates: Vec<Attached> = PREDICATES
            .parse(config, values, problems)
            .into_iter()
            .map(|entry| entry.attached)
            .collect();
        let aliases = values.list(PREDICATES.name);
        let transforms = TRANSFORMS.parse(config, values, problems);
        let transforms: Vec<Transform> = transforms
            .into_iter()
            .map(|entry| Transform::of(entry, &aliases, problems))
            .collect();
        for alias in aliases {
            let asks = |transform: &Transform| {
                transform
                    .condition
                    .as_ref()
                    .is_some_and(|condition| condition.predicate == alias)
            };
            if !transforms.iter().any(asks) {
                problems.push(Problem::new(
                    PREDICATES.name,
                    Some(&alias),
                    "no transformation asks this predicate",
                    format!("name it by transforms.<alias>.predicate={alias}, or remove it"),
                ));
            }
        }
        let validators = VALIDATORS.parse(config, values, problems);
        let mut checkers = |group: &Group| {
            let entries = group.parse(config, values, problems).into_iter();
            entries.map(|entry| entry.attached).collect::<Vec<_>>()
        };
        let (schema_checkers, acl_checkers) = (checkers(&SCHEMA_CHECKERS), checkers(&ACL_CHECKERS));
        Self {
            transforms,
            predicates,
            validators: validators
                .into_iter()
                .map(|entry| Validator::of(entry, problems))
                .collect(),
            schema_checkers,
            acl_checkers,
        }
    }
}

// === impl Attached ===

impl Attached {
    /// The key under which the user wrote the plugin's `key`.
    pub fn key(&self, key: &str) -> String {
        format!("{}.{}.{key}", self.group, self.alias)
    }

    /// As messages call it: `transforms.mask`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.group, self.alias)
    }
}

// === impl Transform ===

impl Transform {
    fn of(entry: Entry, predicates: &[String], problems: &mut Vec<Problem>) -> Self {
        let Entry { attached, own } = entry;
        let [predicate, negate] = [&own[0], &own[1]];
        let is_negated = negate
            .as_deref()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        if let Some(text) = negate {
            let key = attached.key("negate");
            if !is_negated && !text.eq_ignore_ascii_case("false") {
                problems.push(Problem::new(
                    key,
                    Some(text),
                    "not a boolean",
                    "write true or false",
                ));
            } else if predicate.is_none() {
                let remedy = format!("add {}, or remove the key", attached.key("predicate"));
                problems.push(Problem::new(
                    key,
                    Some(text),
                    "has no effect without a predicate",
                    remedy,
                ));
            }
        }
        if let Some(alias) = predicate
            && !predicates.contains(alias)
        {
            problems.push(Problem::new(
                attached.key("predicate"),
                Some(alias),
                "is no alias that `predicates` names",
                format!("add {alias} to `predicates`, with predicates.{alias}.type"),
            ));
        }
        Self {
            condition: predicate.clone().map(|predicate| Condition {
                predicate,
                negate: is_negated,
            }),
            attached,
        }
    }
}

// === impl Validator ===

impl Validator {
    fn of(entry: Entry, problems: &mut Vec<Problem>) -> Self {
        let Entry { attached, own } = entry;
        let text = own[0].as_deref().unwrap_or("fail");
        let on_reject = OnReject::parse(text).unwrap_or_else(|| {
            problems.push(Problem::new(
                attached.key("on.reject"),
                Some(text),
                "not one of the values",
                "write fail, skip, dead-letter or tag",
            ));
            OnReject::Fail
        });
        Self { attached, on_reject }
    }
}

// === impl OnReject ===

impl OnReject {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "fail" => Self::Fail,
            "skip" => Self::Skip,
            "dead-letter" => Self::DeadLetter,
            "tag" => Self::Tag,
            _ => return None,
        })
    }
}

// === impl Group ===

impl Group {
    fn parse(&self, config: &Config, values: &Values, problems: &mut Vec<Problem>) -> Vec<Entry> {
        let Self { name: group, .. } = self;
        let mut aliases: Vec<String> = Vec::new();
        for alias in values.list(group) {
            if aliases.contains(&alias) {
                problems.push(Problem::new(
                    *group,
                    Some(&alias),
                    "this alias stands twice",
                    "name each alias once",
                ));
            } else {
                aliases.push(alias);
            }
        }
        for (key, value) in config {
            let Some(rest) = key.strip_prefix(group).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            let alias = rest.split('.').next().unwrap_or(rest);
            if !aliases.iter().any(|known| known == alias) {
                let remedy = format!("add {alias} to `{group}`, or remove the key");
                problems.push(Problem::new(
                    key,
                    Some(value),
                    format!("belongs to an alias that `{group}` does not name"),
                    remedy,
                ));
            }
        }
        aliases
            .into_iter()
            .filter_map(|alias| self.one(config, alias, problems))
            .collect()
    }

    fn one(&self, config: &Config, alias: String, problems: &mut Vec<Problem>) -> Option<Entry> {
        let prefix = format!("{}.{alias}.", self.name);
        let mut plugin = None;
        let mut own = vec![None; self.own.len()];
        let mut rest = Vec::new();
        for (key, value) in config {
            let Some(key) = key.strip_prefix(&prefix) else {
                continue;
            };
            match self.own.iter().position(|own| *own == key) {
                Some(index) => own[index] = Some(value.trim().to_owned()),
                None if key == "type" => plugin = Some(Reference::parse(value.trim())),
                None => rest.push((key.to_owned(), value.clone())),
            }
        }
        if plugin.is_none() {
            let remedy = "name a plugin in plugin.path: name or name@version";
            problems.push(Problem::new(format!("{prefix}type"), None, "missing", remedy));
        }
        Some(Entry {
            attached: Attached {
                group: self.name,
                alias,
                plugin: plugin?,
                config: rest,
            },
            own,
        })
    }
}
