//! The plugins of a worker.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use semver::{Version, VersionReq};
use towpath_domain::{config::nearest, plugin::Reference};
use tracing::info;

use crate::{
    Limits, Plugin, Problem, ScanError,
    cache::Cache,
    engine::{self, Ticker},
    scan::{self, Scanner},
};

/// Where plugins are, and what they may use.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Folders, of which every `*.wasm` directly inside is a plugin, or files (`plugin.path`).
    pub plugin_path: Vec<PathBuf>,
    /// For compiled code. It is made when missing, and kept for this user alone. None: compile at every start.
    pub cache_dir: Option<PathBuf>,
    pub limits: Limits,
    /// In place of `limits`, by the plugin's name. A plugin that is not named yet (`describe`) may use the most of them all.
    pub limits_of: BTreeMap<String, Limits>,
}

/// The plugins found in `plugin.path`. Dropping it leaves the plugins in use working.
pub struct Host {
    /// by name, then by version, newest last
    plugins: Vec<Arc<Plugin>>,
}

/// The machine does not let us run any plugin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the wasm engine does not start: {0:#}")]
    Engine(#[from] wasmtime::Error),
    #[error("the thread that watches deadlines does not start: {0}")]
    Ticker(#[from] io::Error),
}

/// No plugin of that name and version.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(
        "there is no plugin {reference} in `plugin.path`; {}",
        known_or_near(reference, known)
    )]
    Name { reference: String, known: Vec<String> },
    #[error("there is no version {version} of plugin {name}; `plugin.path` has {}", known.join(", "))]
    Version {
        name: String,
        version: String,
        known: Vec<String>,
    },
}

// === impl Host ===

impl Host {
    /// Scans `plugin.path`: reads, compiles (or finds compiled) and describes each plugin, one after the other. What gives no plugin is returned beside
    /// the host, all of it; whether that ends the start is the caller's decision.
    pub fn open(options: Options) -> Result<(Self, Vec<ScanError>), Error> {
        let engine = engine::new()?;
        let scanner = Scanner {
            ticker: Arc::new(Ticker::start(&engine)?),
            linker: Scanner::linker(&engine)?,
            cache: options
                .cache_dir
                .as_deref()
                .and_then(|folder| Cache::open(folder, &engine)),
            limits: options.limits,
            limits_of: options.limits_of,
            engine,
        };
        let (mut host, mut errors) = (Self { plugins: Vec::new() }, Vec::new());
        for entry in &options.plugin_path {
            let files = match scan::files(entry) {
                Ok(files) => files,
                Err(problem) => {
                    errors.push(ScanError {
                        path: entry.clone(),
                        problem,
                    });
                    continue;
                }
            };
            for path in files {
                let added = scanner.load(&path).and_then(|plugin| host.add(plugin));
                errors.extend(added.err().map(|problem| ScanError { path, problem }));
            }
        }
        host.plugins
            .sort_by(|one, other| (one.name(), one.version()).cmp(&(other.name(), other.version())));
        Ok((host, errors))
    }

    /// By name, then by version, newest last.
    pub fn plugins(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter()
    }

    /// The newest plugin that the reference allows: `mask-field`, `mask-field@1.2` (any 1.2.x) or `mask-field@1.2.0`. A pre-release is
    /// newest only where there is nothing else, or when it is named.
    pub fn resolve(&self, reference: &Reference) -> Result<Arc<Plugin>, ResolveError> {
        let named: Vec<&Arc<Plugin>> = self
            .plugins
            .iter()
            .filter(|plugin| plugin.name() == reference.name)
            .collect();
        if named.is_empty() {
            let mut known: Vec<String> = self
                .plugins
                .iter()
                .map(|plugin| plugin.name().to_owned())
                .collect();
            known.dedup();
            return Err(ResolveError::Name {
                reference: reference.to_string(),
                known,
            });
        }
        let wanted = reference.version.as_deref();
        let fitting = |plugin: &&&Arc<Plugin>| wanted.is_none_or(|wanted| fits(wanted, plugin.version()));
        let newest = named
            .iter()
            .filter(fitting)
            .max_by_key(|plugin| (plugin.version().pre.is_empty(), plugin.version()));
        newest
            .map(|plugin| Arc::clone(plugin))
            .ok_or_else(|| ResolveError::Version {
                name: reference.name.clone(),
                version: wanted.unwrap_or_default().to_owned(),
                known: named.iter().map(|plugin| plugin.version().to_string()).collect(),
            })
    }

    /// The plugin whose file has this hex sha256.
    pub fn find(&self, digest: &str) -> Option<Arc<Plugin>> {
        let found = self.plugins.iter().find(|plugin| plugin.digest() == digest);
        found.map(Arc::clone)
    }

    fn add(&mut self, plugin: Plugin) -> Result<(), Problem> {
        let same =
            |other: &&Arc<Plugin>| other.name() == plugin.name() && other.version() == plugin.version();
        match self.plugins.iter().find(same) {
            Some(other) if other.digest() == plugin.digest() => Ok(()),
            Some(other) => Err(Problem::Twice {
                plugin: plugin.reference(),
                other: other.path().to_owned(),
            }),
            None => {
                info!(
                    plugin = plugin.reference(),
                    kind = %plugin.kind(),
                    digest = plugin.digest(),
                    file = %Path::display(plugin.path()),
                    "plugin found",
                );
                self.plugins.push(Arc::new(plugin));
                Ok(())
            }
        }
    }
}

/// `1.2` fits every 1.2.x, `1.2.0` itself alone.
fn fits(wanted: &str, version: &Version) -> bool {
    match Version::parse(wanted) {
        Ok(wanted) => wanted == *version,
        Err(_) => VersionReq::parse(&format!("={wanted}")).is_ok_and(|wanted| wanted.matches(version)),
    }
}

fn known_or_near(reference: &str, known: &[String]) -> String {
    let name = reference.split('@').next().unwrap_or(reference);
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "it has no plugins at all".to_owned(),
        None => format!("it has {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_version_fits_its_patches() {
        let version = |text| Version::parse(text).unwrap();
        assert!(fits("1.2", &version("1.2.7")));
        assert!(fits("1.2.0", &version("1.2.0")));
        assert!(!fits("1.2", &version("1.3.0")));
        assert!(!fits("1.2.0", &version("1.2.1")));
        assert!(!fits("^1", &version("1.2.1")), "a reference is no range");
        assert!(!fits("newest", &version("1.2.1")));
    }
}
