//! Pairs of names, each once on its side.

use std::collections::BTreeMap;

/// Names of the source and of the target, one to one.
#[derive(Debug)]
pub(crate) struct Table {
    targets: BTreeMap<String, String>,
    sources: BTreeMap<String, String>,
}

// === impl Table ===

impl Table {
    /// Reads pairs `source:target`. The error is every mistake, in the order of the pairs.
    pub(crate) fn parse(pairs: &[String]) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut table = Self {
            targets: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        for pair in pairs {
            let Some((source, target)) = pair.split_once(':') else {
                mistakes.push(format!("{pair:?} is no pair: write source:target"));
                continue;
            };
            let (source, target) = (source.trim(), target.trim());
            let before = mistakes.len();
            for name in [source, target] {
                if let Err(mistake) = check_name(name) {
                    mistakes.push(format!("{pair:?}: {name:?} is no topic name: {mistake}"));
                }
            }
            if mistakes.len() > before {
                continue;
            }
            if let Some(former) = table.targets.get(source) {
                mistakes.push(format!(
                    "{pair:?}: {source} goes to {former} already; a topic has one name on the target"
                ));
            }
            if let Some(former) = table.sources.get(target) {
                mistakes.push(format!(
                    "{pair:?}: {former} goes to {target} already; two topics cannot meet in one name"
                ));
            }
            // the first one stays: what follows is compared with it
            table
                .targets
                .entry(source.to_owned())
                .or_insert_with(|| target.to_owned());
            table
                .sources
                .entry(target.to_owned())
                .or_insert_with(|| source.to_owned());
        }
        if mistakes.is_empty() {
            Ok(table)
        } else {
            Err(mistakes)
        }
    }

    pub(crate) fn target(&self, source: &str) -> Option<&str> {
        self.targets.get(source).map(String::as_str)
    }

    pub(crate) fn source(&self, target: &str) -> Option<&str> {
        self.sources.get(target).map(String::as_str)
    }
}

/// As Kafka's `Topic.validate`.
fn check_name(name: &str) -> Result<(), &'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name {
        "" => Err("a name is missing"),
        "." | ".." => Err("Kafka does not allow these two"),
        name if !name.chars().all(legal) => Err("it must be of a-z A-Z 0-9 . _ -"),
        name if name.len() > 249 => Err("it must have at most 249 characters"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kafka_allows() {
        let longest = "x".repeat(249);
        for name in ["a", "...", "A.b_c-9", &longest] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a b", "ä", "a/b", "a:b", &format!("{longest}x")] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
