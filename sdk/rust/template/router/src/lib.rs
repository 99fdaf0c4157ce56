//! Puts a prefix before the names of topics.

use towpath_plugin::{Config, ConfigKey, ConfigType, Descriptor, Failure, Plugin, Router, export_plugin};

struct Prefix {
    prefix: String,
}

impl Plugin for Prefix {
    fn describe() -> Descriptor {
        Descriptor::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Puts a prefix before the names of topics.",
        )
        .key(ConfigKey::required("prefix", ConfigType::String).documentation("Such as eu-1."))
    }

    fn init(config: &mut Config) -> Option<Self> {
        let prefix = config.string_as("prefix", |text| match text {
            "" => Err("must not be empty; such as eu-1."),
            text => Ok(text.to_owned()),
        });
        Some(Self { prefix: prefix? })
    }
}

impl Router for Prefix {
    fn map_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        Ok(Some(format!("{}{topic}", self.prefix)))
    }

    /// The way back: the host checks that it leads to where the topic came from.
    fn unmap_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        Ok(topic.strip_prefix(&self.prefix).map(str::to_owned))
    }
}

export_plugin!(router: Prefix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        towpath_plugin::testing::cases::router::<Prefix>("cases");
    }
}
