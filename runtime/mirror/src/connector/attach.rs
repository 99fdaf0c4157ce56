//! The plugins of a connector: found, configured once to see what is wrong, and kept to make instances of.

use std::sync::Arc;

use towpath_domain::{config::Problem, plugin::Kind};
use towpath_plugin_host as host;
use towpath_wire::positions::Accepted;

use super::resolve::{Grants, InUse, Resolver, at_type};
use crate::{
    checks::{Checker, Named},
    config::{Attached, Errors, MirrorSource, OnReject, Plugins, Transform},
    stages::{Condition, Conditions, Judge, Name, Stages, Step, broke_at_start},
};

/// What instances of the stages are made of.
pub(super) struct Pipeline {
    steps: Vec<Planned>,
    predicates: Vec<Configured>,
    validators: Vec<(Configured, OnReject)>,
    schema_checkers: Vec<Configured>,
    acl_checkers: Vec<Configured>,
    errors: Arc<Errors>,
}

/// A transformation, with the index of its predicate and whether that is negated.
struct Planned {
    transformation: Configured,
    condition: Option<(usize, bool)>,
}

/// A plugin as configured.
struct Configured {
    attached: Attached,
    in_use: Arc<InUse>,
}

type Routers = Vec<(String, host::Router)>;

/// What a connector's plugins came to.
pub(super) struct Parts {
    pub routers: Routers,
    pub pipeline: Pipeline,
    /// to be stored when the configuration is accepted
    pub accepted: Accepted,
    pub uses: Vec<Arc<InUse>>,
    pub problems: Vec<Problem>,
}

/// Finds the plugins, those that are `stored` first, and makes a first instance of each: on a thread that may block, since guests are called.
/// All mistakes at once.
pub(super) async fn attach(
    connector: &str,
    config: &MirrorSource,
    host: Arc<host::Host>,
    stored: Accepted,
    grants: Grants,
) -> Parts {
    let (plugins, errors) = (config.plugins.clone(), Arc::new(config.errors.clone()));
    let connector = connector.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let mut resolver = Resolver::new(&connector, &host, &stored, grants);
        let (routers, pipeline, problems) = attach_all(plugins, errors, &mut resolver);
        let (accepted, uses) = resolver.end();
        Parts {
            routers,
            pipeline,
            accepted,
            uses,
            problems,
        }
    });
    match work.await {
        Ok(parts) => parts,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn attach_all(
    plugins: Plugins,
    errors: Arc<Errors>,
    host: &mut Resolver<'_>,
) -> (Routers, Pipeline, Vec<Problem>) {
    let Plugins {
        transforms,
        predicates,
        validators,
        schema_checkers,
        acl_checkers,
    } = plugins;
    let (mut routers, mut problems) = (Routers::new(), Vec::new());
    let mut pipeline = Pipeline {
        steps: Vec::new(),
        predicates: Vec::new(),
        validators: Vec::new(),
        schema_checkers: Vec::new(),
        acl_checkers: Vec::new(),
        errors,
    };
    for attached in predicates {
        match first(&attached, host, Kind::Predicate, |plugin, config| {
            plugin.predicate(config)
        }) {
            Ok(in_use) => pipeline.predicates.push(Configured { attached, in_use }),
            Err(more) => problems.extend(more),
        }
    }
    for transform in transforms {
        match part(&transform, host) {
            Ok(Part::Router(router)) => routers.push((transform.attached.alias, router)),
            Ok(Part::Transformation(in_use)) => {
                let condition = pipeline.condition(&transform);
                pipeline.steps.push(Planned {
                    transformation: Configured {
                        attached: transform.attached,
                        in_use,
                    },
                    condition,
                });
            }
            Ok(Part::Idle) => {}
            Err(more) => problems.extend(more),
        }
    }
    for validator in validators {
        let attached = validator.attached;
        match first(&attached, host, Kind::Validator, |plugin, config| {
            plugin.validator(config)
        }) {
            Ok(in_use) => {
                let configured = Configured { attached, in_use };
                pipeline.validators.push((configured, validator.on_reject));
            }
            Err(more) => problems.extend(more),
        }
    }
    for attached in schema_checkers {
        match first(&attached, host, Kind::SchemaChecker, |plugin, config| {
            plugin.schema_checker(config)
        }) {
            Ok(in_use) => pipeline.schema_checkers.push(Configured { attached, in_use }),
            Err(more) => problems.extend(more),
        }
    }
    for attached in acl_checkers {
        match first(&attached, host, Kind::AclChecker, |plugin, config| {
            plugin.acl_checker(config)
        }) {
            Ok(in_use) => pipeline.acl_checkers.push(Configured { attached, in_use }),
            Err(more) => problems.extend(more),
        }
    }
    (routers, pipeline, problems)
}

enum Part {
    Router(host::Router),
    Transformation(Arc<InUse>),
    /// a transformation that neither reads nor changes anything: batches are never decoded for it
    Idle,
}

fn part(transform: &Transform, host: &mut Resolver<'_>) -> Result<Part, Vec<Problem>> {
    let attached = &transform.attached;
    let in_use = host.resolve(attached)?;
    let plugin = &in_use.plugin;
    match plugin.kind() {
        Kind::Router => {
            if let Some(condition) = &transform.condition {
                let remedy = "remove the key: a router is asked about names of topics, and has none to leave out but by `topics`";
                return Err(vec![Problem::new(
                    attached.key("predicate"),
                    Some(&condition.predicate),
                    format!("{} is a router, which renames whole topics", attached.plugin),
                    remedy,
                )]);
            }
            let router = plugin.router(&attached.config);
            Ok(Part::Router(
                router.map_err(|error| mistakes(attached, plugin, error))?,
            ))
        }
        Kind::Transformation => {
            let made = plugin.transformation(&attached.config);
            let needs = made.map_err(|error| mistakes(attached, plugin, error))?.needs();
            if needs.effects.topic {
                let remedy = "use a router to rename whole topics";
                let message = "moves single records to other topics, which this version cannot do";
                return Err(at_type(attached, message.to_owned(), remedy));
            }
            Ok(match needs.is_none() {
                true => Part::Idle,
                false => Part::Transformation(in_use),
            })
        }
        kind => {
            let message = format!("is a {kind}, and `transforms` takes transformations and routers");
            Err(at_type(attached, message, "name a plugin of one of these kinds"))
        }
    }
}

/// The plugin, of this kind, when a first instance can be made.
fn first<U>(
    attached: &Attached,
    host: &mut Resolver<'_>,
    kind: Kind,
    make: impl FnOnce(&Arc<host::Plugin>, &[(String, String)]) -> Result<U, host::InitError>,
) -> Result<Arc<InUse>, Vec<Problem>> {
    let in_use = host.resolve(attached)?;
    let plugin = &in_use.plugin;
    if plugin.kind() != kind {
        let message = format!("is a {}, and `{}` takes {kind}s", plugin.kind(), attached.group);
        return Err(at_type(attached, message, "name a plugin of that kind"));
    }
    make(plugin, &attached.config).map_err(|error| mistakes(attached, plugin, error))?;
    Ok(in_use)
}

fn mistakes(attached: &Attached, plugin: &host::Plugin, error: host::InitError) -> Vec<Problem> {
    match error {
        host::InitError::Config(errors) => errors
            .into_iter()
            .map(|error| {
                let remedy = format!("see the keys of {}", attached.plugin);
                // The plugin hides the values of its passwords. What it does not know cannot be one of them.
                let is_known = plugin.descriptor().config.iter().any(|key| key.name == error.key);
                let given = attached
                    .config
                    .iter()
                    .find(|(key, _)| *key == error.key)
                    .filter(|_| !is_known);
                let value = error.value.as_deref().or(given.map(|(_, value)| value.as_str()));
                Problem::new(attached.key(&error.key), value, error.message, remedy)
            })
            .collect(),
        error => {
            if let host::InitError::Broken(broken) = &error {
                broke_at_start(&attached.name(), broken);
            }
            at_type(
                attached,
                error.to_string(),
                "use another version of the plugin, or mend it",
            )
        }
    }
}

// === impl Pipeline ===

impl Pipeline {
    /// No plugin is asked about records.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.validators.is_empty()
    }

    /// An instance of each checker. Blocks: guests are called.
    pub(super) fn checkers(&self) -> Result<Vec<Named>, String> {
        let named = |configured: &Configured, checker| Named {
            name: configured.attached.name(),
            plugin: configured.in_use.plugin.reference(),
            checker,
        };
        let schemas = self.schema_checkers.iter().map(|configured| {
            let checker = configured.make(|plugin, config| plugin.schema_checker(config))?;
            Ok(named(configured, Checker::Schema(checker)))
        });
        let acls = self.acl_checkers.iter().map(|configured| {
            let checker = configured.make(|plugin, config| plugin.acl_checker(config))?;
            Ok(named(configured, Checker::Acl(checker)))
        });
        schemas.chain(acls).collect()
    }

    pub(super) fn has_checkers(&self) -> bool {
        !self.schema_checkers.is_empty() || !self.acl_checkers.is_empty()
    }

    /// The predicate of a transformation; one that could not be configured is a mistake already.
    fn condition(&self, transform: &Transform) -> Option<(usize, bool)> {
        let condition = transform.condition.as_ref()?;
        let named = |predicate: &Configured| predicate.attached.alias == condition.predicate;
        Some((self.predicates.iter().position(named)?, condition.negate))
    }

    /// An instance of each plugin. Blocks: guests are called.
    pub(super) fn stages(&self) -> Result<Stages, String> {
        let steps = self.steps.iter().map(
            |Planned {
                 transformation,
                 condition,
             }| {
                Ok(Step {
                    name: transformation.name(),
                    transformation: transformation.make(|plugin, config| plugin.transformation(config))?,
                    condition: *condition,
                })
            },
        );
        let conditions = self.predicates.iter().map(|predicate| {
            Ok(Condition {
                name: predicate.name(),
                predicate: predicate.make(|plugin, config| plugin.predicate(config))?,
                by_topic: Default::default(),
            })
        });
        let judges = self.validators.iter().map(|(validator, on_reject)| {
            Ok(Judge {
                name: validator.name(),
                validator: validator.make(|plugin, config| plugin.validator(config))?,
                on_reject: *on_reject,
            })
        });
        Ok(Stages {
            steps: steps.collect::<Result<_, String>>()?,
            conditions: Conditions(conditions.collect::<Result<_, String>>()?),
            judges: judges.collect::<Result<_, String>>()?,
            errors: Arc::clone(&self.errors),
        })
    }
}

// === impl Configured ===

impl Configured {
    fn name(&self) -> Arc<Name> {
        Arc::new(Name {
            stage: self.attached.name(),
            plugin: self.in_use.plugin.reference(),
            digest: self.in_use.plugin.digest().to_owned(),
            watch: Arc::clone(&self.in_use.watch),
        })
    }

    fn make<U>(
        &self,
        make: impl FnOnce(&Arc<host::Plugin>, &[(String, String)]) -> Result<U, host::InitError>,
    ) -> Result<U, String> {
        make(&self.in_use.plugin, &self.attached.config)
            .map_err(|error| format!("{}: {error}", self.attached.name()))
    }
}
