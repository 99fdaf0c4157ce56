//! The registries of a case.

use std::{collections::BTreeMap, sync::Arc};

use towpath_plugin_cases::{Case, Input, Registry, Schema};
use towpath_plugin_host::{Answer, Ask, Plugin, Registries, SchemaText, Side};

/// What a case's input says the registries hold.
struct Held(Registry);

/// The plugin, with the registries of this case if it asks for any.
pub(super) fn granted(plugin: &Arc<Plugin>, case: &Case) -> Arc<Plugin> {
    if !plugin.wants_registries() {
        return Arc::clone(plugin);
    }
    let registry = match &case.input {
        Some(Input::Records(records)) => records.registry.clone(),
        _ => Registry::default(),
    };
    Arc::new(plugin.granted(Arc::new(Held(registry))))
}

// === impl Held ===

impl Registries for Held {
    /// Nothing: so every answer is fetched, as the first ones are in a worker.
    fn known(&self, _: &Ask) -> Option<Answer> {
        None
    }

    fn fetch(&self, ask: &Ask) -> Result<Answer, String> {
        let Self(held) = self;
        let text = |schemas: &BTreeMap<u32, Schema>, id: &u32| {
            let schema = schemas.get(id)?.clone();
            Some(SchemaText {
                schema_type: schema.schema_type,
                schema: schema.schema,
                references: schema.references,
            })
        };
        Ok(match ask {
            Ask::Schema { side, id } => Answer::Schema(match side {
                Side::Source => text(&held.source, id),
                Side::Target => text(&held.target, id),
            }),
            Ask::TranslateId { id, .. } => Answer::Id(held.ids.get(id).copied()),
        })
    }
}
