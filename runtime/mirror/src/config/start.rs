//! Where partitions without a stored position start: `source.consumer.auto.offset.reset` for all, `mirror.start.offset.spec` by topic.

use regex::RegexSet;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use towpath_domain::{Offset, config::Problem, config::Values};

use super::{
    keys::{AUTO_OFFSET_RESET, START},
    regexes, unmatched,
};

/// Where a partition starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    Earliest,
    /// Behind what is there when the connector runs for the first time.
    Latest,
    /// The first record with this timestamp or a later one, ms since 1970.
    Timestamp(i64),
    /// This one: it must be in the log, or be where the next record goes.
    Offset(Offset),
}

/// The starts of a connector's topics.
#[derive(Clone, Debug)]
pub struct Starts {
    otherwise: Start,
    topics: RegexSet,
    /// of each pattern: its text, and what it asks for
    rows: Vec<(String, Start)>,
}

// === impl Starts ===

impl Starts {
    /// None: there is a mistake among the problems.
    pub(super) fn parse(values: &Values, problems: &mut Vec<Problem>) -> Option<Self> {
        let before = problems.len();
        let mut rows = Vec::new();
        for item in values.list(START) {
            let row = match item.rsplit_once('=') {
                Some((pattern, start)) if !pattern.trim().is_empty() => {
                    Start::parse(start.trim()).map(|start| (pattern.trim().to_owned(), start))
                }
                _ => Err("names no topic".to_owned()),
            };
            match row {
                Ok(row) => rows.push(row),
                Err(message) => problems.push(Problem::new(
                    START,
                    Some(&item),
                    message,
                    "write topic=start, the start being earliest, latest, a time such as 2026-11-28T03:00:00Z, or offset:1234",
                )),
            }
        }
        let patterns: Vec<String> = rows.iter().map(|(pattern, _)| pattern.clone()).collect();
        let topics = regexes(START, &patterns, problems);
        let otherwise = match values.text(AUTO_OFFSET_RESET) {
            "latest" => Start::Latest,
            _ => Start::Earliest,
        };
        topics.filter(|_| problems.len() == before).map(|topics| Self {
            otherwise,
            topics,
            rows,
        })
    }

    /// Of the first row that matches.
    pub fn of(&self, topic: &str) -> Start {
        let row = self.topics.matches(topic).into_iter().next();
        row.map_or(self.otherwise, |row| self.rows[row].1)
    }

    /// Patterns that none of the topics matches.
    pub fn unmatched<'a>(&self, topics: impl Iterator<Item = &'a str>) -> Vec<&str> {
        let patterns = self.rows.iter().map(|(pattern, _)| pattern);
        unmatched(&self.topics, patterns, topics)
    }
}

// === impl Start ===

impl Start {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            _ => {}
        }
        if let Some(offset) = text.strip_prefix("offset:") {
            return match offset.trim().parse() {
                Ok(offset @ 0..) => Ok(Self::Offset(Offset(offset))),
                _ => Err(format!("{offset:?} is no offset: a whole number from 0 on")),
            };
        }
        let time = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| format!("{text:?} is no start; a time needs its zone (RFC 3339)"))?;
        let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(millis)
            .ok()
            .filter(|millis| *millis >= 0)
            .map(Self::Timestamp)
            .ok_or_else(|| format!("{text:?} is before 1970"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_starts_are_read() {
        for (text, expected) in [
            ("earliest", Start::Earliest),
            ("latest", Start::Latest),
            ("offset:0", Start::Offset(Offset(0))),
            ("offset: 42", Start::Offset(Offset(42))),
            ("1970-01-01T00:00:01Z", Start::Timestamp(1000)),
            ("1970-01-01T01:00:00.0019+01:00", Start::Timestamp(1)),
        ] {
            assert_eq!(Start::parse(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "newest",
            "offset:-1",
            "offset:x",
            "2026-11-28",
            "2026-11-28T03:00:00",
            "1969-12-31T23:59:59Z",
        ] {
            assert!(Start::parse(text).is_err(), "{text}");
        }
    }
}
