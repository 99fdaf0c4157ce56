//! One module of bindings per exported interface: the worlds of the contract have `plugin` in common, and a crate can bind an export
//! only once. A component exports two of these; `wit-component` makes one world of them. What they share is bound in `described`.

#![allow(missing_docs)]

pub mod described {
    wit_bindgen::generate!({
        path: "../../wit/plugin",
        inline: "
            package towpath:sdk;
            world described {
                import towpath:plugin/host@0.1.0;
                import towpath:plugin/batches@0.1.0;
                export towpath:plugin/plugin@0.1.0;
            }
        ",
        world: "towpath:sdk/described",
        pub_export_macro: true,
        generate_all,
    });
}

pub mod transformations {
    wit_bindgen::generate!({
        path: "../../wit/plugin",
        inline: "package towpath:sdk; world transformations { export towpath:plugin/transformation@0.1.0; }",
        world: "towpath:sdk/transformations",
        pub_export_macro: true,
        with: {
            "towpath:plugin/types@0.1.0": crate::guest::bindings::described::towpath::plugin::types,
            "towpath:plugin/batches@0.1.0": crate::guest::bindings::described::towpath::plugin::batches,
        },
        generate_all,
    });
}

pub mod routers {
    wit_bindgen::generate!({
        path: "../../wit/plugin",
        inline: "package towpath:sdk; world routers { export towpath:plugin/router@0.1.0; }",
        world: "towpath:sdk/routers",
        pub_export_macro: true,
        with: { "towpath:plugin/types@0.1.0": crate::guest::bindings::described::towpath::plugin::types },
        generate_all,
    });
}

pub mod predicates {
    wit_bindgen::generate!({
        path: "../../wit/plugin",
        inline: "package towpath:sdk; world predicates { export towpath:plugin/predicate@0.1.0; }",
        world: "towpath:sdk/predicates",
        pub_export_macro: true,
        with: {
            "towpath:plugin/types@0.1.0": crate::guest::bindings::described::towpath::plugin::types,
            "towpath:plugin/batches@0.1.0": crate::guest::bindings::described::towpath::plugin::batches,
        },
        generate_all,
    });
}

pub mod validators {
    wit_bindgen::generate!({
        path: "../../wit/plugin",
        inline: "package towpath:sdk; world validators { export towpath:plugin/validator@0.1.0; }",
        world: "towpath:sdk/validators",
        pub_export_macro: true,
        with: {
            "towpath:plugin/types@0.1.0": crate::guest::bindings::described::towpath::plugin::types,
            "towpath:plugin/batches@0.1.0": crate::guest::bindings::described::towpath::plugin::batches,
        },
        generate_all,
    });
}

pub mod schema_checkers {
    wit_bindgen::generate!({
        path: "../../wit/checks",
        inline: "package towpath:sdk; world schema-checkers { export towpath:checks/schema-checker@0.1.0; }",
        world: "towpath:sdk/schema-checkers",
        pub_export_macro: true,
        with: { "towpath:plugin/types@0.1.0": crate::guest::bindings::described::towpath::plugin::types },
        generate_all,
    });
}

pub mod acl_checkers {
    wit_bindgen::generate!({
        path: "../../wit/checks",
        inline: "package towpath:sdk; world acl-checkers { export towpath:checks/acl-checker@0.1.0; }",
        world: "towpath:sdk/acl-checkers",
        pub_export_macro: true,
        with: {
            "towpath:plugin/types@0.1.0": crate::guest::bindings::described::towpath::plugin::types,
            "towpath:checks/findings@0.1.0": crate::guest::bindings::schema_checkers::towpath::checks::findings,
        },
        generate_all,
    });
}

/// Imports alone: a component that never asks does not import it.
pub mod registries {
    wit_bindgen::generate!({
        path: "../../wit/plugin",
        inline: "package towpath:sdk; world registries { import towpath:plugin/schema-registry@0.1.0; }",
        world: "towpath:sdk/registries",
        with: { "towpath:plugin/types@0.1.0": crate::guest::bindings::described::towpath::plugin::types },
        generate_all,
    });
}
