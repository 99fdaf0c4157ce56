//! Writing Towpath plugins in Rust.
//!
//! A plugin is a type that implements [`Plugin`] and the trait of its kind, exported once:
//!
//! ```
//! use towpath_plugin::{Batch, Config, ConfigKey, ConfigType, Descriptor, Edits, Failure, Needs, Plugin, Transformation};
//!
//! struct DropShort {
//!     bytes: usize,
//! }
//!
//! impl Plugin for DropShort {
//!     fn describe() -> Descriptor {
//!         Descriptor::new("drop-short", "0.1.0", "Drops records with short values.")
//!             .key(ConfigKey::required("bytes", ConfigType::Int).documentation("Values shorter than this are dropped."))
//!     }
//!
//!     fn init(config: &mut Config) -> Option<Self> {
//!         Some(Self { bytes: config.parse("bytes")? })
//!     }
//!
//!     fn needs(&self) -> Needs {
//!         Needs::none().reads_value().drops()
//!     }
//! }
//!
//! impl Transformation for DropShort {
//!     fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
//!         let mut edits = Edits::new();
//!         for (index, value) in (0..).zip(batch.values().iter()) {
//!             if value.is_some_and(|value| value.len() < self.bytes) {
//!                 edits.drop(index);
//!             }
//!         }
//!         Ok(edits)
//!     }
//! }
//!
//! towpath_plugin::export_plugin!(transformation: DropShort);
//! ```
//!
//! Test it like any Rust code, with [`testing`]: on other targets than wasm32 the same type runs natively. Then build it as a `cdylib` for
//! `wasm32-unknown-unknown` and make a component of it with `towpath-componentize`. The contract behind this crate, with every rule, is
//! `wit/` in Towpath's repository.
#![forbid(unsafe_code)]

mod batch;
mod checks;
mod config;
mod descriptor;
mod edits;
#[doc(hidden)]
#[cfg(target_arch = "wasm32")]
pub mod guest;
pub mod host;
pub mod json;
mod kinds;
mod needs;
#[cfg(feature = "pattern")]
pub mod pattern;
pub mod registry;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[doc(hidden)]
pub use batch::Source;
pub use batch::{Batch, Column, Header, Record, Records, TimestampType};
pub use checks::{AclBinding, Finding, SchemaReference, SchemaVersion, Severity, SubjectState};
pub use config::{Config, ConfigError};
pub use descriptor::{ConfigKey, ConfigType, Descriptor, Importance, Presence};
pub use edits::{Edit, Edits, Outgoing};
pub use kinds::{
    AclChecker, Failure, Pair, Plugin, Predicate, Rejection, Router, SchemaChecker, Transformation, Validator,
};
pub use needs::{Effects, Needs, Reads};

/// Exports a type as the plugin of this component: `export_plugin!(router: MyRouter);`, once per crate.
///
/// The kinds are `transformation`, `router`, `predicate`, `validator`, `schema_checker` and `acl_checker`. On other targets than wasm32 it
/// only checks that the type implements the kind's trait.
#[macro_export]
macro_rules! export_plugin {
    (transformation: $plugin:ty) => {
        $crate::__export!(transformations, Transformation, $plugin);
    };
    (router: $plugin:ty) => {
        $crate::__export!(routers, Router, $plugin);
    };
    (predicate: $plugin:ty) => {
        $crate::__export!(predicates, Predicate, $plugin);
    };
    (validator: $plugin:ty) => {
        $crate::__export!(validators, Validator, $plugin);
    };
    (schema_checker: $plugin:ty) => {
        $crate::__export!(schema_checkers, SchemaChecker, $plugin);
    };
    (acl_checker: $plugin:ty) => {
        $crate::__export!(acl_checkers, AclChecker, $plugin);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($world:ident, $kind:ident, $plugin:ty) => {
        const _: () = {
            const fn implements<T: $crate::$kind>() {}
            implements::<$plugin>();
        };
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Export = $crate::guest::Export<$plugin>;
    $crate::guest::described::export!(Export with_types_in $crate::guest::described);
    $crate::guest::$world::export!(Export with_types_in $crate::guest::$world);
        };
    };
}
