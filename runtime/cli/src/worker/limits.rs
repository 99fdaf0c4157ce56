//! `plugin.<name>.memory.bytes` and its like: limits of one plugin, in place of those of all.

use std::{collections::BTreeMap, time::Duration};

use towpath_domain::config::{Config, Definition, Key, Presence, Problem, Shape, Values, nearest};
use towpath_plugin_host as host;

/// What every plugin may use. Each is there as `plugin.<name>.` too.
pub(super) const LIMITS: [Key; 5] = [
    Key {
        name: "plugin.memory.bytes",
        shape: Shape::Int {
            min: 65_536,
            max: 4_294_967_296,
        },
        presence: Presence::Default("67108864"),
        documentation: "memory of one plugin instance, bytes",
    },
    Key {
        name: "plugin.call.timeout.ms",
        shape: Shape::Int {
            min: 10,
            max: 600_000,
        },
        presence: Presence::Default("1000"),
        documentation: "the longest a call of a plugin may take, ms",
    },
    Key {
        name: "plugin.init.timeout.ms",
        shape: Shape::Int {
            min: 10,
            max: 600_000,
        },
        presence: Presence::Default("5000"),
        documentation: "the longest describe or init of a plugin may take, ms",
    },
    Key {
        name: "plugin.output.bytes",
        shape: Shape::Int {
            min: 1024,
            max: 1_073_741_824,
        },
        presence: Presence::Default("16777216"),
        documentation: "the most one call of a plugin may return, bytes",
    },
    Key {
        name: "plugin.log.lines",
        shape: Shape::Int { min: 0, max: 100_000 },
        presence: Presence::Default("100"),
        documentation: "log lines of one plugin, all its instances together, that are kept per second",
    },
];

const DEFINITION: Definition = Definition { keys: &LIMITS };

/// The limits of plugins that have their own, by name.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub limits: BTreeMap<String, host::Limits>,
    /// as written: name, key and value
    written: Vec<(String, String, String)>,
}

/// The name, and the key that all plugins have, of a key that is of this form.
fn split(key: &str) -> Option<(&str, &'static str)> {
    let rest = key.strip_prefix("plugin.")?;
    LIMITS.iter().find_map(|limit| {
        let name = rest.strip_suffix(limit.name.strip_prefix("plugin")?)?;
        (!name.is_empty()).then_some((name, limit.name))
    })
}

pub(super) fn owns(key: &str) -> bool {
    split(key).is_some()
}

/// From values that have all of [`LIMITS`]. How long compiling may take is for all: a plugin has no name before.
pub(super) fn of(values: &Values) -> host::Limits {
    let number = |key| usize::try_from(values.int(key)).unwrap_or_default();
    let millis = |key| Duration::from_millis(values.int(key).unsigned_abs());
    host::Limits {
        memory_bytes: number("plugin.memory.bytes"),
        call_timeout: millis("plugin.call.timeout.ms"),
        init_timeout: millis("plugin.init.timeout.ms"),
        output_bytes: number("plugin.output.bytes"),
        log_lines_per_second: number("plugin.log.lines") as u32,
        ..host::Limits::default()
    }
}

// === impl Named ===

impl Named {
    /// What a plugin has no limit of its own for is limited as it is for all.
    pub(super) fn parse(config: &Config, problems: &mut Vec<Problem>) -> Self {
        let for_all = config
            .iter()
            .filter(|(key, _)| LIMITS.iter().any(|limit| limit.name == **key));
        let for_all: Config = for_all.map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut own: BTreeMap<&str, Config> = BTreeMap::new();
        let mut written = Vec::new();
        for (key, value) in config {
            if let Some((name, limit)) = split(key) {
                let entry = own.entry(name).or_default();
                entry.insert(limit.to_owned(), value.clone());
                written.push((name.to_owned(), key.clone(), value.clone()));
            }
        }
        let mut limits = BTreeMap::new();
        for (name, own) in own {
            let mut all = for_all.clone();
            all.extend(own.clone());
            let (values, mistakes) = DEFINITION.parse(&all, |_| false);
            // A mistake in what is for all is told where it stands.
            let mistakes = mistakes
                .into_iter()
                .filter(|problem| own.contains_key(&problem.key));
            problems.extend(mistakes.map(|problem| Problem {
                key: problem.key.replacen("plugin.", &format!("plugin.{name}."), 1),
                ..problem
            }));
            limits.insert(name.to_owned(), of(&values));
        }
        Self { limits, written }
    }

    /// Limits of plugins that are not there.
    pub(super) fn strangers(&self, host: &host::Host) -> Vec<Problem> {
        let known: Vec<&str> = host.plugins().map(|plugin| plugin.name()).collect();
        let strange = self
            .written
            .iter()
            .filter(|(name, ..)| !known.contains(&name.as_str()));
        let problem = |(name, key, value): &(String, String, String)| {
            let message = format!("there is no plugin {name} in plugin.path");
            let remedy = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near}? Else put the plugin there, or remove the key"),
                None => "put the plugin there, or remove the key".to_owned(),
            };
            Problem::new(key, Some(value), message, remedy)
        };
        strange.map(problem).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(keys: &[(&str, &str)]) -> Config {
        keys.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_plugin_has_its_own_limits_and_for_the_rest_those_of_all() {
        let mut problems = Vec::new();
        let config = config(&[
            ("plugin.memory.bytes", "1000000"),
            ("plugin.call.timeout.ms", "50"),
            ("plugin.mask-field.memory.bytes", "2000000"),
            ("plugin.mask-field.log.lines", "7"),
            ("plugin.log.log.lines", "8"),
        ]);
        let named = Named::parse(&config, &mut problems);
        assert_eq!(problems, []);
        let mask = &named.limits["mask-field"];
        assert_eq!(
            (mask.memory_bytes, mask.call_timeout, mask.log_lines_per_second),
            (2_000_000, Duration::from_millis(50), 7)
        );
        let log = &named.limits["log"];
        assert_eq!((log.memory_bytes, log.log_lines_per_second), (1_000_000, 8));
        assert_eq!(named.limits.len(), 2, "limits of all are not limits of a plugin");
    }

    #[test]
    fn wrong_values_are_told_with_the_key_as_it_was_written() {
        let mut problems = Vec::new();
        let config = config(&[
            ("plugin.memory.bytes", "nothing"),
            ("plugin.a.memory.bytes", "1"),
            ("plugin.a.call.timeout.ms", "soon"),
        ]);
        Named::parse(&config, &mut problems);
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["plugin.a.memory.bytes", "plugin.a.call.timeout.ms"]);
        assert!(problems[0].to_string().contains("= \"1\""), "{}", problems[0]);
    }
}
