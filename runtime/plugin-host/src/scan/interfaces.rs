//! What a component exports and imports, by name: its kind, the version of the contract, and what it asks for.

use towpath_domain::plugin::Kind;
use wasmtime::{Engine, component::Component};

use super::Problem;
use crate::{
    bindings::{SUPPORTED, SUPPORTED_CHECKS},
    wasi,
};

/// The exported interface that makes each kind.
pub(super) const KINDS: [(&str, Kind); 6] = [
    ("towpath:plugin/transformation", Kind::Transformation),
    ("towpath:plugin/router", Kind::Router),
    ("towpath:plugin/predicate", Kind::Predicate),
    ("towpath:plugin/validator", Kind::Validator),
    ("towpath:checks/schema-checker", Kind::SchemaChecker),
    ("towpath:checks/acl-checker", Kind::AclChecker),
];

/// Open to every plugin.
const IMPORTS: [&str; 4] = [
    "towpath:plugin/types",
    "towpath:plugin/batches",
    "towpath:plugin/host",
    "towpath:checks/findings",
];

const PLUGIN: &str = "towpath:plugin/plugin";
const REGISTRIES: &str = "towpath:plugin/schema-registry";

/// A plugin's outline.
pub(super) struct Interfaces {
    pub(super) kind: Kind,
    pub(super) registries: bool,
}

// === impl Interfaces ===

impl Interfaces {
    pub(super) fn of(component: &Component, engine: &Engine) -> Result<Self, Problem> {
        let ty = component.component_type();
        let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
        let imports: Vec<&str> = ty.imports(engine).map(|(name, _)| name).collect();
        Self::read(&exports, &imports)
    }

    fn read(exports: &[&str], imports: &[&str]) -> Result<Self, Problem> {
        let mut kind = None;
        let mut described = false;
        for (name, version) in exports.iter().map(|export| split(export)) {
            let found = KINDS
                .iter()
                .find(|(interface, _)| *interface == name)
                .map(|(_, kind)| *kind);
            check_version(name, version)?;
            described |= name == PLUGIN;
            match (kind, found) {
                (Some(one), Some(other)) => return Err(Problem::TwoKinds(one, other)),
                (None, Some(found)) => kind = Some(found),
                (_, None) => {}
            }
        }
        let (Some(kind), true) = (kind, described) else {
            return Err(Problem::NoPlugin);
        };
        let mut registries = false;
        for (import, (name, version)) in imports.iter().map(|import| (import, split(import))) {
            if wasi::answers(name, version) {
                continue;
            }
            check_version(name, version)?;
            if name == REGISTRIES {
                registries = true;
            } else if !IMPORTS.contains(&name) {
                return Err(Problem::Import((*import).to_owned()));
            }
        }
        if registries && matches!(kind, Kind::Router | Kind::Predicate) {
            return Err(Problem::NeverGranted(kind));
        }
        Ok(Self { kind, registries })
    }
}

fn split(interface: &str) -> (&str, &str) {
    interface.split_once('@').unwrap_or((interface, ""))
}

/// Whatever is of the contract's packages must be of a version that this host speaks, whether it knows the interface or not.
fn check_version(name: &str, version: &str) -> Result<(), Problem> {
    let (contract, supported) = if name.starts_with("towpath:plugin/") {
        ("plugin contract", SUPPORTED)
    } else if name.starts_with("towpath:checks/") {
        ("contract of checkers", SUPPORTED_CHECKS)
    } else {
        return Ok(());
    };
    if supported.contains(&version) {
        return Ok(());
    }
    Err(Problem::Version {
        contract,
        found: if version.is_empty() {
            "none".to_owned()
        } else {
            version.to_owned()
        },
        supported,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLUGIN: &str = "towpath:plugin/plugin@0.1.0";

    #[test]
    fn every_kind_is_known_by_its_export() {
        for (name, kind) in KINDS {
            let export = format!("{name}@0.1.0");
            let imports = ["towpath:plugin/types@0.1.0", "towpath:plugin/host@0.1.0"];
            let interfaces = Interfaces::read(&[PLUGIN, &export], &imports).unwrap();
            assert_eq!((interfaces.kind, interfaces.registries), (kind, false));
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_by_name() {
        let router = "towpath:plugin/router@0.1.0";
        let validator = "towpath:plugin/validator@0.1.0";
        let registries = "towpath:plugin/schema-registry@0.1.0";
        let read = |exports: &[&str], imports: &[&str]| {
            Interfaces::read(exports, imports)
                .err()
                .map(|problem| problem.to_string())
        };
        let cases: [(&[&str], &[&str], &str); 9] = [
            (
                &[PLUGIN, "towpath:plugin/enricher@0.9.0"],
                &[],
                "speaks version 0.9.0 of the plugin contract, this host speaks 0.1.0; upgrade Towpath",
            ),
            (
                &[PLUGIN, router],
                &["towpath:plugin/clock@0.0.9"],
                "speaks version 0.0.9 of the plugin contract, this host speaks 0.1.0; build it",
            ),
            (&[], &[], "no plugin"),
            (&[router], &[], "no plugin"),
            (
                &[PLUGIN, router, validator],
                &[],
                "the interfaces of router and validator",
            ),
            (
                &[PLUGIN, "towpath:plugin/router@0.9.0"],
                &[],
                "speaks version 0.9.0",
            ),
            (
                &[PLUGIN, router],
                &["wasi:cli/stdout@0.2.0", "wasi:http/types@0.2.0"],
                "imports `wasi:http/types@0.2.0`",
            ),
            (
                &[PLUGIN, router],
                &["towpath:plugin/host@0.2.0"],
                "speaks version 0.2.0",
            ),
            (
                &[PLUGIN, router],
                &[registries],
                "which a router is never granted",
            ),
        ];
        for (exports, imports, expected) in cases {
            let problem = read(exports, imports).unwrap();
            assert!(problem.contains(expected), "{problem}");
        }
        assert!(
            Interfaces::read(&[PLUGIN, validator], &[registries])
                .unwrap()
                .registries
        );
    }
}
