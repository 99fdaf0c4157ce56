//! The names in paths.

use utoipa::{
    PartialSchema,
    openapi::{
        ObjectBuilder, RefOr, Required, Schema, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

/// The parameters of a path, in its order.
pub(super) fn of(path: &str) -> Vec<Parameter> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(parameter)
        .collect()
}

fn parameter(name: &str) -> Parameter {
    let builder = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True);
    let (description, schema) = match name {
        "connector" => ("a connector's name, percent-encoded", text("orders-mirror")),
        "task" => ("a task's number within its connector, from 0", u32::schema()),
        "plugin" => (
            "a class or its short name, with or without `Connector` at its end",
            text("MirrorSourceConnector"),
        ),
        "logger" => (
            "a logger's name, or the beginning of several",
            text("towpath_mirror"),
        ),
        other => unreachable!("{other} has no description: add it above"),
    };
    builder
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// It has one character at least, else the path is another one.
fn text(example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .examples([example])
        .into()
}
