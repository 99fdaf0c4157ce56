//! The interface that every component exports.

use super::{Export, configure, described::exports::towpath::plugin::plugin as exported, report_panics};
use crate::{ConfigError, ConfigKey, ConfigType, Descriptor, Importance, Needs, Plugin, Presence};

impl<P: Plugin> exported::Guest for Export<P> {
    fn describe() -> exported::Descriptor {
        report_panics();
        let Descriptor {
            name,
            version,
            documentation,
            config,
        } = P::describe();
        exported::Descriptor {
            name: name.to_owned(),
            version: version.to_owned(),
            documentation: documentation.to_owned(),
            config: config.into_iter().map(key).collect(),
        }
    }

    fn init(config: Vec<(String, String)>) -> Result<exported::Needs, Vec<exported::ConfigError>> {
        let error = |ConfigError { key, message }: ConfigError| exported::ConfigError { key, message };
        match configure::<P>(config) {
            Ok(needs) => Ok(needs_of(needs)),
            Err(errors) => Err(errors.into_iter().map(error).collect()),
        }
    }
}

fn needs_of(Needs { reads, effects }: Needs) -> exported::Needs {
    let mut flags = exported::Needs {
        reads: exported::Reads::empty(),
        effects: exported::Effects::empty(),
    };
    flags.reads.set(exported::Reads::KEY, reads.key);
    flags.reads.set(exported::Reads::VALUE, reads.value);
    flags.reads.set(exported::Reads::HEADER, reads.header);
    flags.reads.set(exported::Reads::TIMESTAMP, reads.timestamp);
    flags.reads.set(exported::Reads::OFFSET, reads.offset);
    flags.effects.set(exported::Effects::KEY, effects.key);
    flags.effects.set(exported::Effects::VALUE, effects.value);
    flags.effects.set(exported::Effects::HEADERS, effects.headers);
    flags.effects.set(exported::Effects::DROP, effects.drop);
    flags.effects.set(exported::Effects::SPLIT, effects.split);
    flags.effects.set(exported::Effects::TOPIC, effects.topic);
    flags
}

fn key(key: ConfigKey) -> exported::ConfigKey {
    let texts = |texts: Vec<&'static str>| texts.into_iter().map(str::to_owned).collect();
    exported::ConfigKey {
        name: key.name.to_owned(),
        config_type: match key.config_type {
            ConfigType::Boolean => exported::ConfigType::Boolean,
            ConfigType::Int => exported::ConfigType::Int,
            ConfigType::Long => exported::ConfigType::Long,
            ConfigType::Double => exported::ConfigType::Double,
            ConfigType::String => exported::ConfigType::String,
            ConfigType::List => exported::ConfigType::List,
            ConfigType::Class => exported::ConfigType::Class,
            ConfigType::Password => exported::ConfigType::Password,
        },
        presence: match key.presence {
            Presence::Required => exported::Presence::Required,
            Presence::Optional => exported::Presence::Optional,
            Presence::Default(value) => exported::Presence::Default(value.to_owned()),
        },
        importance: match key.importance {
            Importance::Low => exported::Importance::Low,
            Importance::Medium => exported::Importance::Medium,
            Importance::High => exported::Importance::High,
        },
        documentation: key.documentation.to_owned(),
        display_name: key.display_name.to_owned(),
        group: key.group.to_owned(),
        order: key.order,
        valid_values: texts(key.valid_values),
        recommended: texts(key.recommended),
    }
}
