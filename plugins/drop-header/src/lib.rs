//! Removes headers: see README.md.
#![forbid(unsafe_code)]

use regex_lite::Regex;
use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin, pattern,
};

/// The configured plugin.
pub struct DropHeader {
    headers: Vec<String>,
    pattern: Option<Regex>,
}

// === impl DropHeader ===

impl Plugin for DropHeader {
    fn describe() -> Descriptor {
        let documentation = "Removes headers by their keys, as Connect's DropHeaders does, or by a regular expression. Everything else of a \
            record stays.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(ConfigKey::optional("headers", ConfigType::List).documentation(
                "Keys of the headers that go, separated by commas. At least one of headers and pattern must be given.",
            ))
            .key(ConfigKey::optional("pattern", ConfigType::String).documentation(
                "A regular expression: headers whose whole key matches go too, such as x-internal-.*.",
            ))
    }

    fn init(config: &mut Config) -> Option<Self> {
        if config.get("headers").is_none() && config.get("pattern").is_none() {
            return config.mistake(
                "",
                "neither headers nor pattern is given: name what shall go by one of them, or both",
            );
        }
        let headers = match config.get("headers") {
            Some(_) => config.list("headers"),
            None => Some(Vec::new()),
        };
        let pattern = match config.get("pattern") {
            Some(_) => config.string_as("pattern", pattern::whole).map(Some),
            None => Some(None),
        };
        let mut headers = headers?;
        headers.sort();
        headers.dedup();
        Some(Self {
            headers,
            pattern: pattern?,
        })
    }

    fn needs(&self) -> Needs {
        let needs = Needs::none().changes_headers();
        match self.pattern {
            Some(_) => needs.reads_headers(),
            None => needs,
        }
    }
}

impl Transformation for DropHeader {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let mut edits = Edits::new();
        for index in 0..batch.len() {
            match &self.pattern {
                Some(pattern) => self.drop_matching(pattern, batch, index, &mut edits),
                // to remove what is not there costs less than to look: that would be a call for each record
                None => self
                    .headers
                    .iter()
                    .for_each(|key| edits.remove_headers(index, key.as_str())),
            }
        }
        Ok(edits)
    }
}

impl DropHeader {
    /// Keys are not known beforehand: each record's are looked at, and a record without any of them stays untouched.
    fn drop_matching(&self, pattern: &Regex, batch: &Batch<'_>, index: u32, edits: &mut Edits) {
        let mut headers = batch.headers(index);
        let before = headers.len();
        headers.retain(|header| !self.headers.contains(&header.key) && !pattern.is_match(&header.key));
        if headers.len() < before {
            edits.set_headers(index, headers);
        }
    }
}

export_plugin!(transformation: DropHeader);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::{Harness, TestBatch, TestRecord, cases};

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::transformation::<DropHeader>("cases");
    }

    #[test]
    fn records_are_looked_at_only_for_a_pattern() {
        let reads =
            |config: &[(&str, &str)]| Harness::<DropHeader>::new(config).unwrap().needs().reads.header;
        assert!(!reads(&[("headers", "a")]));
        assert!(reads(&[("pattern", "a")]));
    }

    #[test]
    fn a_record_without_matching_headers_is_not_edited() {
        let mut plugin = Harness::<DropHeader>::new(&[("pattern", "x-.*")]).unwrap();
        let batch = TestBatch::of([
            TestRecord::new("k", "v").header("a", "1"),
            TestRecord::new("k", "v"),
        ]);
        assert!(plugin.edits(&batch).unwrap().is_empty());
    }
}
