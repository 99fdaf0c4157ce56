//! The host's `schema-registry`: imported by components that use it.

use super::bindings::registries::towpath::plugin::schema_registry as wit;
use crate::{
    Failure,
    registry::{SchemaText, Side},
};

pub(crate) fn schema(side: Side, id: u32) -> Result<Option<SchemaText>, Failure> {
    let side = match side {
        Side::Source => wit::Side::Source,
        Side::Target => wit::Side::Target,
    };
    let text = |text: wit::SchemaText| SchemaText {
        schema_type: text.schema_type,
        schema: text.schema,
        references: text.references,
    };
    match wit::schema(side, id) {
        Ok(schema) => Ok(schema.map(text)),
        Err(error) => Err(failure(error)),
    }
}

pub(crate) fn translate_id(source_id: u32, subject: Option<&str>) -> Result<Option<u32>, Failure> {
    wit::translate_id(source_id, subject).map_err(failure)
}

fn failure(failure: super::wit::types::Failure) -> Failure {
    Failure {
        message: failure.message,
        retriable: failure.retriable,
    }
}
