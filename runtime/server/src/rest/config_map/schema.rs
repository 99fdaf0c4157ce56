//! How configurations are described.

use std::borrow::Cow;

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::{ConfigChanges, ConfigMap};

impl ToSchema for ConfigMap {
    fn name() -> Cow<'static, str> {
        "ConnectorConfig".into()
    }
}

impl PartialSchema for ConfigMap {
    fn schema() -> RefOr<Schema> {
        map(vec![Type::String, Type::Number, Type::Boolean])
            .description(Some(
                "Keys and values. A number or a boolean is taken as it is written. The connector's name is put in as `name`. \
                 A connector needs a `connector.class`, and what its class requires.",
            ))
            .examples([json!({
                "connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector",
                "source.cluster.alias": "src",
                "source.cluster.bootstrap.servers": "source:9092",
                "target.cluster.bootstrap.servers": "target:9092",
                "topics": "orders",
                "tasks.max": 2,
            })])
            .into()
    }
}

impl ToSchema for ConfigChanges {
    fn name() -> Cow<'static, str> {
        "ConnectorConfigChanges".into()
    }
}

impl PartialSchema for ConfigChanges {
    fn schema() -> RefOr<Schema> {
        map(vec![Type::String, Type::Number, Type::Boolean, Type::Null])
            .description(Some(
                "Keys to set, and with `null` to take away. `name` cannot be changed.",
            ))
            .examples([json!({ "tasks.max": 4, "topics.exclude": null })])
            .into()
    }
}

fn map(values: Vec<Type>) -> ObjectBuilder {
    let value = ObjectBuilder::new().schema_type(utoipa::openapi::schema::SchemaType::Array(values));
    ObjectBuilder::new().additional_properties(Some(value))
}
