//! The registries' schemas and ids: asked for by calling these, answered where the worker grants `schema-registry` to the plugin. Never in `init`.
//!
//! What exists never changes, so answers may be kept. In native tests they come from the case's input, or from
//! [`testing::registry`](crate::testing::registry).

use crate::Failure;

/// Which registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Source,
    Target,
}

/// A schema as registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaText {
    /// `AVRO`, `PROTOBUF` or `JSON`
    pub schema_type: String,
    /// Byte for byte as the registry returns it.
    pub schema: String,
    /// (name, schema) of what it refers to, dependencies first.
    pub references: Vec<(String, String)>,
}

/// The schema of this id: the four bytes after the magic byte of a value. None: the registry has no such id.
pub fn schema(side: Side, id: u32) -> Result<Option<SchemaText>, Failure> {
    #[cfg(target_arch = "wasm32")]
    return crate::guest::registry::schema(side, id);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::registry::schema(side, id);
}

/// The target's id of the same schema. `subject`, by the source's name, tells schemas apart where ids are not global. None: the target does not have it.
pub fn translate_id(source_id: u32, subject: Option<&str>) -> Result<Option<u32>, Failure> {
    #[cfg(target_arch = "wasm32")]
    return crate::guest::registry::translate_id(source_id, subject);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::registry::translate_id(source_id, subject);
}
