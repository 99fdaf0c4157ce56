//! A transformation written against the recorded copy of the contract (`wit/` beside this), without the SDK: what is built today must run on later hosts.

#![allow(unsafe_code, missing_docs, reason = "what the bindings' macros write")]

wit_bindgen::generate!({
    path: "wit/plugin",
    world: "transformations",
    generate_all,
});

use exports::towpath::plugin::{plugin, transformation};
use towpath::plugin::{host, types};

struct Recorded;

impl plugin::Guest for Recorded {
    fn describe() -> plugin::Descriptor {
        plugin::Descriptor {
            name: "recorded".to_owned(),
            version: "0.1.0".to_owned(),
            documentation: "Doubles values; a value of nothing is rejected.".to_owned(),
            config: vec![plugin::ConfigKey {
                name: "times".to_owned(),
                config_type: plugin::ConfigType::Int,
                presence: plugin::Presence::Default("2".to_owned()),
                importance: plugin::Importance::High,
                documentation: "How often a value stands in the new one.".to_owned(),
                display_name: "Times".to_owned(),
                group: String::new(),
                order: 1,
                valid_values: Vec::new(),
                recommended: Vec::new(),
            }],
        }
    }

    fn init(config: Vec<(String, String)>) -> Result<plugin::Needs, Vec<plugin::ConfigError>> {
        match config.iter().find(|(key, _)| key == "times") {
            Some((_, times)) if times == "2" => Ok(plugin::Needs {
                reads: plugin::Reads::VALUE,
                effects: plugin::Effects::VALUE,
            }),
            _ => Err(vec![plugin::ConfigError {
                key: "times".to_owned(),
                message: "must be 2".to_owned(),
            }]),
        }
    }
}

impl transformation::Guest for Recorded {
    fn transform(batch: &transformation::Batch) -> Result<types::Edits, types::Failure> {
        let mut edits = types::Edits {
            edits: Vec::new(),
            values: types::ValueEdits {
                rows: Vec::new(),
                values: types::BytesColumn {
                    data: Vec::new(),
                    ends: Vec::new(),
                    nulls: Vec::new(),
                },
            },
        };
        for index in 0..batch.len() {
            match batch.value(index) {
                None => {}
                Some(value) if value.is_empty() => {
                    edits
                        .edits
                        .push((index, types::Edit::Reject("nothing in it".to_owned())));
                }
                Some(value) => {
                    let column = &mut edits.values.values;
                    edits.values.rows.push(index);
                    column.data.extend(value.repeat(2));
                    column.ends.push(column.data.len() as u32);
                }
            }
        }
        host::count("batches", 1);
        Ok(edits)
    }
}

export!(Recorded);
