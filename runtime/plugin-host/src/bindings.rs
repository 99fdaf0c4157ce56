//! The contract as Rust types: `towpath:plugin@0.1.0`. When a version is released, its bindings move to a file of their own.
//!
//! Imports are bound once, for every kind. Exports are bound interface by interface, because a component of any kind can be described.

/// The version of the contract that these bindings speak.
pub(crate) const VERSION: &str = "0.1.0";

/// The versions of `towpath:plugin` that are understood, oldest first: one file of bindings each.
pub(crate) const SUPPORTED: &[&str] = &[VERSION];

/// The same of `towpath:checks`, which goes its own way.
pub(crate) const SUPPORTED_CHECKS: &[&str] = &["0.1.0"];

mod any {
    wasmtime::component::bindgen!({
        path: "../../wit/plugin",
        inline: "
            package towpath:bindings;
            world any {
                import towpath:plugin/host@0.1.0;
                import towpath:plugin/batches@0.1.0;
                import towpath:plugin/schema-registry@0.1.0;
                export towpath:plugin/plugin@0.1.0;
            }
        ",
        world: "towpath:bindings/any",
        with: { "towpath:plugin/batches.batch": crate::batch::Batch },
        imports: { default: trappable },
    });
}

mod transformation_export {
    wasmtime::component::bindgen!({
        path: "../../wit/plugin",
        inline: "
            package towpath:bindings;
            world transforms { export towpath:plugin/transformation@0.1.0; }
        ",
        world: "towpath:bindings/transforms",
        with: {
            "towpath:plugin/types": super::any::towpath::plugin::types,
            "towpath:plugin/batches": super::any::towpath::plugin::batches,
        },
    });
}

mod router_export {
    wasmtime::component::bindgen!({
        path: "../../wit/plugin",
        inline: "
            package towpath:bindings;
            world routes { export towpath:plugin/router@0.1.0; }
        ",
        world: "towpath:bindings/routes",
        with: { "towpath:plugin/types": super::any::towpath::plugin::types },
    });
}

mod predicate_export {
    wasmtime::component::bindgen!({
        path: "../../wit/plugin",
        inline: "
            package towpath:bindings;
            world matches { export towpath:plugin/predicate@0.1.0; }
        ",
        world: "towpath:bindings/matches",
        with: {
            "towpath:plugin/types": super::any::towpath::plugin::types,
            "towpath:plugin/batches": super::any::towpath::plugin::batches,
        },
    });
}

mod validator_export {
    wasmtime::component::bindgen!({
        path: "../../wit/plugin",
        inline: "
            package towpath:bindings;
            world validates { export towpath:plugin/validator@0.1.0; }
        ",
        world: "towpath:bindings/validates",
        with: {
            "towpath:plugin/types": super::any::towpath::plugin::types,
            "towpath:plugin/batches": super::any::towpath::plugin::batches,
        },
    });
}

mod schema_checker_export {
    wasmtime::component::bindgen!({
        path: "../../wit/checks",
        inline: "
            package towpath:bindings;
            world schema-checks { export towpath:checks/schema-checker@0.1.0; }
        ",
        world: "towpath:bindings/schema-checks",
        with: { "towpath:plugin/types": super::any::towpath::plugin::types },
    });
}

mod acl_checker_export {
    wasmtime::component::bindgen!({
        path: "../../wit/checks",
        inline: "
            package towpath:bindings;
            world acl-checks { export towpath:checks/acl-checker@0.1.0; }
        ",
        world: "towpath:bindings/acl-checks",
        with: {
            "towpath:plugin/types": super::any::towpath::plugin::types,
            "towpath:checks/findings": super::schema_checker_export::towpath::checks::findings,
        },
    });
}

pub(crate) use acl_checker_export::{AclChecks, exports::towpath::checks::acl_checker};
pub(crate) use any::{
    Any,
    exports::towpath::plugin::plugin,
    towpath::plugin::{batches, host, schema_registry, types},
};
pub(crate) use predicate_export::Matches;
pub(crate) use router_export::Routes;
pub(crate) use schema_checker_export::{
    SchemaChecks, exports::towpath::checks::schema_checker, towpath::checks::findings,
};
pub(crate) use transformation_export::Transforms;
pub(crate) use validator_export::{Validates, exports::towpath::plugin::validator};
