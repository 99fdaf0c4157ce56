//! A configured plugin of any kind that has cases, and one call of it.

use std::sync::Arc;

use towpath_domain::plugin::Kind;
use towpath_plugin_cases::{Failure, Input, Judged, Kind as CaseKind, Matched, Outcome, Rejection, Routed};
use towpath_plugin_host as host;

use super::{edits, findings, records::Records};

pub(super) enum Configured {
    Transformation(host::Transformation),
    Router(host::Router),
    Predicate(host::Predicate),
    Validator(host::Validator),
    SchemaChecker(host::SchemaChecker),
    AclChecker(host::AclChecker),
}

/// The kind as cases know it.
pub(super) fn kind(kind: Kind) -> CaseKind {
    match kind {
        Kind::Transformation => CaseKind::Transformation,
        Kind::Router => CaseKind::Router,
        Kind::Predicate => CaseKind::Predicate,
        Kind::Validator => CaseKind::Validator,
        Kind::SchemaChecker => CaseKind::SchemaChecker,
        Kind::AclChecker => CaseKind::AclChecker,
    }
}

// === impl Configured ===

impl Configured {
    pub(super) fn new(
        plugin: &Arc<host::Plugin>,
        kind: CaseKind,
        config: &[(String, String)],
    ) -> Result<Self, host::InitError> {
        Ok(match kind {
            CaseKind::Transformation => Self::Transformation(plugin.transformation(config)?),
            CaseKind::Router => Self::Router(plugin.router(config)?),
            CaseKind::Predicate => Self::Predicate(plugin.predicate(config)?),
            CaseKind::Validator => Self::Validator(plugin.validator(config)?),
            CaseKind::SchemaChecker => Self::SchemaChecker(plugin.schema_checker(config)?),
            CaseKind::AclChecker => Self::AclChecker(plugin.acl_checker(config)?),
        })
    }

    /// What comes of a case. The error is a plugin that broke, or an input of another kind.
    pub(super) fn call(&mut self, input: &Input) -> Result<Outcome, String> {
        match self.asked(input) {
            Ok(outcome) => Ok(outcome),
            Err(host::CallError::Failure { message, retriable }) => {
                Ok(Outcome::Failed(Failure { message, retriable }))
            }
            Err(broken) => Err(broken.to_string()),
        }
    }

    fn asked(&mut self, input: &Input) -> Result<Outcome, host::CallError> {
        let shown = |batch: &towpath_plugin_cases::Records, has_offsets| {
            Arc::new(Records {
                batch: batch.clone(),
                has_offsets,
            })
        };
        Ok(match (self, input) {
            (Self::Transformation(plugin), Input::Records(batch)) => {
                let edits = plugin.transform(shown(batch, true))?;
                Outcome::Transformed(edits::applied(&batch.records, edits))
            }
            (Self::Predicate(plugin), Input::Records(batch)) => Outcome::Matched(Matched {
                matching: plugin.matching(shown(batch, true))?.matches,
            }),
            (Self::Router(plugin), Input::Topics(topics)) => {
                let mut routed = Routed::default();
                for topic in &topics.map {
                    routed.map.insert(topic.clone(), plugin.map_topic(topic)?);
                }
                for topic in &topics.unmap {
                    routed.unmap.insert(topic.clone(), plugin.unmap_topic(topic)?);
                }
                Outcome::Routed(routed)
            }
            (Self::Validator(plugin), Input::Pairs(input)) => {
                let pairs: Vec<host::Pair> = input
                    .pairs
                    .iter()
                    .map(|pair| host::Pair {
                        source: pair.source,
                        target: pair.target,
                    })
                    .collect();
                let source = shown(&input.source, true);
                let target = shown(&input.target, input.target_offsets);
                let rejections = plugin.validate(source, target, &pairs)?;
                let plain = |host::Rejection { index, reason }| Rejection { index, reason };
                Outcome::Judged(Judged {
                    rejections: rejections.into_iter().map(plain).collect(),
                })
            }
            (Self::SchemaChecker(plugin), Input::Subjects(subjects)) => {
                let state = |state: &Option<_>| state.as_ref().map(findings::subject);
                let (source, target) = (state(&subjects.source), state(&subjects.target));
                findings::checked(plugin.check(source.as_ref(), target.as_ref())?)
            }
            (Self::AclChecker(plugin), Input::Acls(acls)) => {
                let [due, pending, target] = [&acls.due, &acls.pending, &acls.target]
                    .map(|bindings| bindings.iter().map(findings::binding).collect::<Vec<_>>());
                findings::checked(plugin.check(&due, &pending, &target)?)
            }
            // Cases are read for the plugin's kind.
            _ => unreachable!("a case of another kind"),
        })
    }
}
