//! Matches by the name of the topic: see README.md.
#![forbid(unsafe_code)]

use regex_lite::Regex;
use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Plugin, Predicate, export_plugin, pattern,
};

/// The configured plugin.
pub struct TopicNameMatches {
    pattern: Regex,
}

// === impl TopicNameMatches ===

impl Plugin for TopicNameMatches {
    fn describe() -> Descriptor {
        let documentation = "Matches all records of topics whose name matches a regular expression, as Connect's TopicNameMatches does.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation).key(
            ConfigKey::required("pattern", ConfigType::String).documentation(
                "A regular expression that the whole name of the source topic matches, such as orders\\..*.",
            ),
        )
    }

    fn init(config: &mut Config) -> Option<Self> {
        Some(Self {
            pattern: config.string_as("pattern", pattern::whole)?,
        })
    }

    // It declares no reads, so the host asks once a topic, and batches are not decoded for it.
}

impl Predicate for TopicNameMatches {
    fn matching(&mut self, batch: &Batch<'_>) -> Result<Vec<u32>, Failure> {
        if self.pattern.is_match(&batch.topic()) {
            Ok((0..batch.len()).collect())
        } else {
            Ok(Vec::new())
        }
    }
}

export_plugin!(predicate: TopicNameMatches);

#[cfg(test)]
mod tests {
    use towpath_plugin::{
        Needs,
        testing::{Harness, cases},
    };

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::predicate::<TopicNameMatches>("cases");
    }

    #[test]
    fn it_is_asked_once_a_topic() {
        let plugin = Harness::<TopicNameMatches>::new(&[("pattern", "a")]).unwrap();
        assert_eq!(plugin.needs(), Needs::none());
    }
}
