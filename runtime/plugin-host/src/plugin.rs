//! A plugin that was found, and how it is put to use.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use semver::Version;
use towpath_domain::plugin::Kind;
use wasmtime::component::InstancePre;

use crate::{
    AclChecker, Answer, Ask, Broken, Cause, ConfigError, Descriptor, Figures, Limits, Predicate, Registries,
    Router, SchemaChecker, Transformation, Validator,
    broken::Fault,
    config,
    engine::Ticker,
    instance::{Exports, Instance, Refusal},
    state::State,
    voice::Voice,
};

/// A component of `plugin.path`, compiled and described.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) kind: Kind,
    pub(crate) descriptor: Descriptor,
    pub(crate) digest: String,
    pub(crate) path: PathBuf,
    pub(crate) code: Code,
    /// the one capability there is to ask for
    pub(crate) wants_registries: bool,
    /// none: not granted
    pub(crate) registries: Option<Arc<dyn Registries>>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) voice: Arc<Voice>,
    pub(crate) limits: Limits,
    pub(crate) figures: Arc<Figures>,
    /// deadlines need it for as long as any instance lives
    pub(crate) _ticker: Arc<Ticker>,
}

/// Where a plugin's machine code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Compiled,
    Cached,
}

/// Why a plugin cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error(
        "plugin {plugin} is a {found}, not a {expected}: name one of that kind, or use it where a {found} belongs"
    )]
    Kind {
        plugin: String,
        expected: Kind,
        found: Kind,
    },
    #[error(
        "plugin {plugin} asks for schema-registry, which it was not granted; add it to plugin.grants.schema-registry in the worker's properties, or use a build without that import"
    )]
    Grant { plugin: String },
    /// All mistakes at once.
    #[error("{}", sentences(.0))]
    Config(Vec<ConfigError>),
    #[error(transparent)]
    Broken(#[from] Box<Broken>),
}

// === impl Plugin ===

impl Plugin {
    /// The version of the contract that this host speaks.
    pub const CONTRACT: &str = crate::bindings::VERSION;

    pub fn name(&self) -> &str {
        &self.descriptor.name
    }

    pub fn version(&self) -> &Version {
        &self.descriptor.version
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Hex sha256 of the file.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Whether it imports `schema-registry`.
    pub fn wants_registries(&self) -> bool {
        self.wants_registries
    }

    /// The same plugin with these registries, which it was granted.
    pub fn granted(&self, registries: Arc<dyn Registries>) -> Self {
        Self {
            registries: Some(registries),
            ..self.clone()
        }
    }

    /// Whether opening the host had to compile it.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The same plugin with figures and counters of its own: for one alias of one connector. Code and the rate of log lines are shared.
    pub fn attached(&self) -> Arc<Self> {
        Arc::new(Self {
            voice: Arc::new(self.voice.sibling()),
            figures: Arc::default(),
            ..self.clone()
        })
    }

    /// What its calls cost, summed over its instances.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The plugin's own counters, summed over its instances, by name.
    pub fn counters(&self) -> Vec<(String, u64)> {
        self.voice.counters()
    }

    /// `name@version`, as logs have it.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.name(), self.version())
    }

    /// A configured router. The keys are without the user's prefix, here and below.
    pub fn router(self: &Arc<Self>, config: &[(String, String)]) -> Result<Router, InitError> {
        self.start(Kind::Router, config, Router::start)
    }

    /// A configured transformation.
    pub fn transformation(
        self: &Arc<Self>,
        config: &[(String, String)],
    ) -> Result<Transformation, InitError> {
        self.start(Kind::Transformation, config, Transformation::start)
    }

    /// A configured predicate.
    pub fn predicate(self: &Arc<Self>, config: &[(String, String)]) -> Result<Predicate, InitError> {
        self.start(Kind::Predicate, config, Predicate::start)
    }

    /// A configured validator.
    pub fn validator(self: &Arc<Self>, config: &[(String, String)]) -> Result<Validator, InitError> {
        self.start(Kind::Validator, config, Validator::start)
    }

    /// A configured checker of schemas.
    pub fn schema_checker(self: &Arc<Self>, config: &[(String, String)]) -> Result<SchemaChecker, InitError> {
        self.start(Kind::SchemaChecker, config, SchemaChecker::start)
    }

    /// A configured checker of ACLs.
    pub fn acl_checker(self: &Arc<Self>, config: &[(String, String)]) -> Result<AclChecker, InitError> {
        self.start(Kind::AclChecker, config, AclChecker::start)
    }

    fn start<U>(
        self: &Arc<Self>,
        kind: Kind,
        config: &[(String, String)],
        start: impl FnOnce(Arc<Self>, Vec<(String, String)>) -> Result<U, Refusal>,
    ) -> Result<U, InitError> {
        let config = self.checked(kind, config)?;
        start(Arc::clone(self), config.clone()).map_err(|refusal| self.refused(refusal, &config))
    }

    pub(crate) fn fetch(&self, ask: &Ask) -> Result<Answer, String> {
        match &self.registries {
            Some(registries) => registries.fetch(ask),
            None => Err("no registries are known".to_owned()),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn instantiate<E: Exports>(&self) -> Result<Instance<E>, Fault> {
        Instance::start(&self.pre, &self.limits, Arc::clone(&self.voice))
    }

    pub(crate) fn broken(&self, call: &'static str, fault: impl Into<Fault>) -> Broken {
        let Fault { cause, backtrace } = fault.into();
        self.figures.broke(&cause);
        Broken {
            backtrace,
            plugin: self.name().to_owned(),
            version: self.version().to_string(),
            digest: self.digest.clone(),
            call,
            cause,
        }
    }

    fn checked(&self, kind: Kind, config: &[(String, String)]) -> Result<Vec<(String, String)>, InitError> {
        if self.kind != kind {
            return Err(InitError::Kind {
                plugin: self.reference(),
                expected: kind,
                found: self.kind,
            });
        }
        if self.wants_registries && self.registries.is_none() {
            return Err(InitError::Grant {
                plugin: self.reference(),
            });
        }
        config::check(&self.descriptor, config).map_err(InitError::Config)
    }

    fn refused(&self, refusal: Refusal, config: &[(String, String)]) -> InitError {
        match refusal {
            Refusal::Broken(fault) => InitError::Broken(Box::new(self.broken("init", fault))),
            Refusal::Config(errors) if errors.is_empty() => {
                let cause = Cause::Malformed("it refused its configuration without a reason".to_owned());
                InitError::Broken(Box::new(self.broken("init", cause)))
            }
            Refusal::Config(errors) => {
                let error = |error| ConfigError::from_wit(error, &self.descriptor, config);
                InitError::Config(errors.into_iter().map(error).collect())
            }
        }
    }
}

fn sentences(errors: &[ConfigError]) -> String {
    let errors: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
    errors.join("; ")
}
