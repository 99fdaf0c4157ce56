//! Finds where a subject of the target's registry is not that of the source: see README.md.
#![forbid(unsafe_code)]

mod same;

use towpath_plugin::{
    Config, ConfigKey, ConfigType, Descriptor, Failure, Finding, Plugin, SchemaChecker, SchemaVersion,
    Severity, SubjectState, export_plugin,
};

use same::is_same;

/// The configured plugin.
pub struct SchemaCompatibility {
    /// ids must be the same on both sides
    same_ids: bool,
    modes: bool,
}

// === impl SchemaCompatibility ===

impl Plugin for SchemaCompatibility {
    fn describe() -> Descriptor {
        let documentation = "Finds where a subject of the target's registry is not that of the source: versions, order, references, compatibility level.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(
                ConfigKey::default("ids", ConfigType::String, "any")
                    .valid_values(&["any", "same"])
                    .documentation(
                        "same: a schema must have the same id on both sides, as records need that are passed through as they are. any: ids are \
                         remapped on the way, by schema-id-remap for example.",
                    ),
            )
            .key(
                ConfigKey::default("compare.mode", ConfigType::Boolean, "false")
                    .documentation("Whether the subject's mode must be the same too. It seldom is while a migration runs."),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let (ids, modes) = (config.string("ids"), config.boolean("compare.mode"));
        Some(Self {
            same_ids: ids? == "same",
            modes: modes?,
        })
    }
}

impl SchemaChecker for SchemaCompatibility {
    fn check(
        &mut self,
        source: Option<SubjectState>,
        target: Option<SubjectState>,
    ) -> Result<Vec<Finding>, Failure> {
        Ok(match (source, target) {
            (Some(source), Some(target)) => self.compare(&source, &target),
            (Some(source), None) => match source.versions.iter().filter(|version| !version.deleted).count() {
                0 => Vec::new(),
                count => vec![Finding {
                    expected: Some(format!("{count} versions")),
                    ..finding(
                        Severity::Blocking,
                        &source,
                        "is not on the target",
                        "register its versions there, in their order",
                    )
                }],
            },
            (None, Some(target)) => vec![finding(
                Severity::Info,
                &target,
                "is on the target only",
                "nothing, where the target is used already",
            )],
            (None, None) => Vec::new(),
        })
    }
}

impl SchemaCompatibility {
    fn compare(&self, source: &SubjectState, target: &SubjectState) -> Vec<Finding> {
        let mut findings = Vec::new();
        if source.compatibility != target.compatibility {
            findings.push(Finding {
                expected: Some(source.compatibility.clone()),
                found: Some(target.compatibility.clone()),
                ..finding(
                    Severity::Blocking,
                    target,
                    "has another compatibility level than at the source",
                    "set it: PUT /config/{subject}",
                )
            });
        }
        if self.modes && source.mode != target.mode {
            findings.push(Finding {
                expected: Some(source.mode.clone()),
                found: Some(target.mode.clone()),
                ..finding(
                    Severity::Warning,
                    target,
                    "has another mode than at the source",
                    "set it: PUT /mode/{subject}",
                )
            });
        }
        let there: Vec<&SchemaVersion> = live(target).collect();
        for version in live(source) {
            match there.iter().find(|other| is_same(version, other)) {
                None => findings.push(missing(target, version)),
                Some(other) => findings.extend(self.placed(target, version, other)),
            }
        }
        for other in &there {
            if !live(source).any(|version| is_same(version, other)) {
                findings.push(Finding {
                    found: Some(shown(other)),
                    ..finding(
                        Severity::Warning,
                        target,
                        "has a version on the target that the source does not have",
                        "delete it, or register it at the source too",
                    )
                });
            }
        }
        if let (Some(latest), Some(other)) = (live(source).last(), there.last())
            && !is_same(latest, other)
            && there.iter().any(|other| is_same(latest, other))
        {
            findings.push(Finding {
                expected: Some(shown(latest)),
                found: Some(shown(other)),
                ..finding(
                    Severity::Blocking,
                    target,
                    "has another latest version than at the source",
                    "producers with use.latest.version would write another schema: delete the later versions, or register the source's latest again",
                )
            });
        }
        findings
    }

    /// About a version that is there: its id and its number.
    fn placed(&self, target: &SubjectState, version: &SchemaVersion, other: &SchemaVersion) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.same_ids && version.id != other.id {
            findings.push(Finding {
                expected: Some(shown(version)),
                found: Some(shown(other)),
                ..finding(
                    Severity::Blocking,
                    target,
                    "has a schema under another id than at the source",
                    "register it with its id in mode IMPORT, or remap ids on the way (schema-id-remap)",
                )
            });
        }
        if version.version != other.version {
            findings.push(Finding {
                expected: Some(shown(version)),
                found: Some(shown(other)),
                ..finding(
                    Severity::Warning,
                    target,
                    "has a schema under another version number than at the source",
                    "whoever asks for versions by number gets another schema: register it with its version in mode IMPORT",
                )
            });
        }
        findings
    }
}

fn live(state: &SubjectState) -> impl Iterator<Item = &SchemaVersion> {
    state.versions.iter().filter(|version| !version.deleted)
}

fn missing(target: &SubjectState, version: &SchemaVersion) -> Finding {
    Finding {
        expected: Some(shown(version)),
        ..finding(
            Severity::Blocking,
            target,
            "lacks a version of the source",
            "register it on the target",
        )
    }
}

/// `version 3 (id 17, AVRO)`: never the text, which may be long.
fn shown(version: &SchemaVersion) -> String {
    format!(
        "version {} (id {}, {})",
        version.version, version.id, version.schema_type
    )
}

fn finding(severity: Severity, subject: &SubjectState, message: &str, remedy: &str) -> Finding {
    Finding {
        severity,
        subject: subject.subject.clone(),
        message: message.to_owned(),
        expected: None,
        found: None,
        remedy: Some(remedy.replace("{subject}", &subject.subject)),
    }
}

export_plugin!(schema_checker: SchemaCompatibility);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::cases;

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::schema_checker::<SchemaCompatibility>("cases");
    }
}
