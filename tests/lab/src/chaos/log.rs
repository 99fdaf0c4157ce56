//! What both sides hold in the end, read by librdkafka, and what must hold between them.
//!
//! The rules are here and not in [`compare`](crate::compare), which holds equal sequences against each other: a reader of uncommitted records on the target must see what
//! one of committed records sees on the source, offsets count, and a log that is compacted while it is mirrored is shorter than its copy.

use std::{
    collections::HashMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
    time::Duration,
};

use anyhow::Result;
use rdkafka::{Message, message::Headers};

use super::traffic::{Kind, MADE_HEADER};
use crate::read::{self, Isolation};

/// A record: where it is, which one, and a hash of all that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub offset: i64,
    pub seq: u64,
    pub hash: u64,
    /// since the traffic began
    pub made: Duration,
}

/// How offsets of both sides belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offsets {
    Preserved,
    Translated,
}

/// What is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    pub what: String,
    /// when what it is about happened, since the traffic began
    pub at: Option<Duration>,
}

/// The records of each partition of a topic, in order.
pub(super) fn read(bootstrap: &str, topic: &str, isolation: Isolation) -> Result<Vec<Vec<Entry>>> {
    let mut log: Vec<Vec<Entry>> = Vec::new();
    let counts = read::topic(bootstrap, topic, isolation, |message| {
        let mut hasher = DefaultHasher::new();
        (message.key(), message.payload()).hash(&mut hasher);
        format!("{:?}", message.timestamp()).hash(&mut hasher);
        let mut made = None;
        for header in message.headers().into_iter().flat_map(Headers::iter) {
            (header.key, header.value).hash(&mut hasher);
            if header.key == MADE_HEADER {
                made = header
                    .value
                    .and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
            }
        }
        let partition = usize::try_from(message.partition())?;
        log.resize(log.len().max(partition + 1), Vec::new());
        log[partition].push(Entry {
            offset: message.offset(),
            seq: read::sequence(message)?,
            hash: hasher.finish(),
            made: Duration::from_millis(made.unwrap_or(0)),
        });
        Ok(())
    })?;
    log.resize(counts.len(), Vec::new());
    Ok(log)
}

/// Every committed record of the source is on the target once, as it is, in order, and where it belongs; nothing else is.
pub(super) fn compare(kind: Kind, offsets: Offsets, source: &[Entry], target: &[Entry]) -> Vec<Deviation> {
    let mut found = match kind {
        Kind::Compacted => compare_compacted(source, target),
        _ => compare_whole(source, target),
    };
    if found.is_empty() && offsets == Offsets::Preserved {
        let places: HashMap<u64, i64> = target.iter().map(|entry| (entry.hash, entry.offset)).collect();
        // A producer without idempotence may have written the same record twice: what is whole is compared by its order.
        let place = |(index, entry): &(usize, &Entry)| match kind {
            Kind::Compacted => places[&entry.hash],
            _ => target[*index].offset,
        };
        let moved = source
            .iter()
            .enumerate()
            .find(|each| place(each) != each.1.offset);
        found.extend(moved.map(|each| {
            Deviation::of(
                each.1,
                format!("{}, is at offset {} on the target", each.1, place(&each)),
            )
        }));
    }
    found
}

fn compare_whole(source: &[Entry], target: &[Entry]) -> Vec<Deviation> {
    let mut counts: HashMap<u64, i64> = HashMap::new();
    for entry in source {
        *counts.entry(entry.hash).or_default() += 1;
    }
    let known = counts.clone();
    let (mut twice, mut foreign) = (Vec::new(), Vec::new());
    for entry in target {
        let left = counts.entry(entry.hash).or_default();
        *left -= 1;
        if *left < 0 {
            if known.contains_key(&entry.hash) {
                &mut twice
            } else {
                &mut foreign
            }
            .push(entry);
        }
    }
    let missing: Vec<&Entry> = source.iter().filter(|entry| counts[&entry.hash] > 0).collect();
    let told = [
        ("records of the source are not on the target", missing),
        ("records are on the target more than once", twice),
        (
            "records on the target are not among the source's committed ones",
            foreign,
        ),
    ];
    let mut found: Vec<Deviation> = told
        .iter()
        .filter_map(|(what, entries)| {
            let first = entries.first()?;
            Some(Deviation::of(
                first,
                format!("{} {what}, the first: {first}", entries.len()),
            ))
        })
        .collect();
    if found.is_empty() {
        let turned = source
            .iter()
            .zip(target)
            .find(|(one, other)| one.hash != other.hash);
        found.extend(turned.map(|(one, other)| {
            Deviation::of(
                one,
                format!("the order differs: {one}, where the target has {other}"),
            )
        }));
    }
    found
}

/// What the cleaner has left on the source is on the target; what it has taken away may be there still. Sequence numbers rise in a partition.
fn compare_compacted(source: &[Entry], target: &[Entry]) -> Vec<Deviation> {
    let mut found = Vec::new();
    if let Some(pair) = target.windows(2).find(|pair| pair[0].seq >= pair[1].seq) {
        let what = format!("twice, or in another order: {} behind {}", pair[1], pair[0]);
        found.push(Deviation::of(&pair[1], what));
    }
    let on_target: HashMap<u64, &Entry> = target.iter().map(|entry| (entry.seq, entry)).collect();
    let missing = |entry: &&Entry| {
        on_target
            .get(&entry.seq)
            .is_none_or(|there| there.hash != entry.hash)
    };
    let missing: Vec<&Entry> = source.iter().filter(missing).collect();
    if let Some(first) = missing.first() {
        let count = missing.len();
        let what =
            format!("{count} records of the source are not on the target as they are, the first: {first}");
        found.push(Deviation::of(first, what));
    }
    found
}

/// Where a source offset may be on the target: behind the record before it, up to the one that is read next from it. Both logs were compared before.
pub(super) fn place(
    kind: Kind,
    source: &[Entry],
    target: &[Entry],
    offset: i64,
    end: i64,
) -> RangeInclusive<i64> {
    let index = source.partition_point(|entry| entry.offset < offset);
    let on_target = |index: usize| match kind {
        Kind::Compacted => {
            let seq = source.get(index)?.seq;
            let index = target.partition_point(|entry| entry.seq < seq);
            target.get(index).map(|entry| entry.offset)
        }
        _ => target.get(index).map(|entry| entry.offset),
    };
    let before = index
        .checked_sub(1)
        .and_then(on_target)
        .map_or(0, |offset| offset + 1);
    before..=on_target(index).unwrap_or(end)
}

// === impl Deviation ===

impl Deviation {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            at: None,
        }
    }

    pub(super) fn of(entry: &Entry, what: String) -> Self {
        Self {
            what,
            at: Some(entry.made),
        }
    }

    /// With what it is about before it.
    #[must_use]
    pub(super) fn on(self, place: &str) -> Self {
        Self {
            what: format!("{place}: {}", self.what),
            ..self
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq, offset, made, ..
        } = self;
        write!(
            f,
            "record {seq} at offset {offset}, made after {:.2} s",
            made.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records with these offsets; each is what its number says.
    fn log(places: &[(i64, u64)]) -> Vec<Entry> {
        let entry = |(offset, seq): &(i64, u64)| Entry {
            offset: *offset,
            seq: *seq,
            hash: *seq * 1000,
            made: Duration::from_secs(*seq),
        };
        places.iter().map(entry).collect()
    }

    fn told(kind: Kind, offsets: Offsets, source: &[(i64, u64)], target: &[(i64, u64)]) -> String {
        let found = compare(kind, offsets, &log(source), &log(target));
        let told: Vec<String> = found.into_iter().map(|found| found.what).collect();
        told.join("\n")
    }

    #[test]
    fn what_is_missing_doubled_foreign_turned_or_moved_is_told() {
        let source = [(0, 1), (1, 2), (3, 3)];
        let whole = |offsets, target: &[(i64, u64)]| told(Kind::Transactional, offsets, &source, target);
        assert_eq!(whole(Offsets::Preserved, &source), "");
        assert_eq!(whole(Offsets::Translated, &[(0, 1), (1, 2), (2, 3)]), "");
        let cases = [
            (
                Offsets::Translated,
                &[(0, 1), (1, 3)][..],
                "1 records of the source are not on",
            ),
            (
                Offsets::Translated,
                &[(0, 1), (1, 2), (2, 2), (3, 3)],
                "1 records are on the target more than once",
            ),
            (
                Offsets::Translated,
                &[(0, 1), (1, 2), (2, 3), (3, 4)],
                "1 records on the target are not among",
            ),
            (
                Offsets::Translated,
                &[(0, 2), (1, 1), (2, 3)],
                "the order differs: record 1 at offset 0",
            ),
            (
                Offsets::Preserved,
                &[(0, 1), (1, 2), (2, 3)],
                "record 3 at offset 3, made after 3.00 s, is at offset 2",
            ),
        ];
        for (offsets, target, expected) in cases {
            let found = whole(offsets, target);
            assert!(found.starts_with(expected), "{found} instead of {expected}");
        }
        let twice = compare(
            Kind::Plain,
            Offsets::Translated,
            &log(&[(0, 1), (1, 1)]),
            &log(&[(0, 1), (1, 1)]),
        );
        assert_eq!(twice, [], "what the source has twice, the target has twice");
    }

    #[test]
    fn of_a_compacted_topic_the_target_may_have_more_but_nothing_else() {
        let source = [(0, 1), (5, 6)];
        let compacted = |offsets, target: &[(i64, u64)]| told(Kind::Compacted, offsets, &source, target);
        assert_eq!(compacted(Offsets::Preserved, &[(0, 1), (3, 4), (5, 6)]), "");
        assert_eq!(compacted(Offsets::Translated, &[(0, 1), (1, 4), (2, 6)]), "");
        assert!(compacted(Offsets::Preserved, &[(0, 1), (1, 4), (2, 6)]).contains("is at offset 2"));
        assert!(compacted(Offsets::Translated, &[(0, 1), (1, 4)]).starts_with("1 records of the source"));
        assert!(compacted(Offsets::Translated, &[(0, 1), (1, 1), (2, 6)]).starts_with("twice"));
        assert!(
            compacted(Offsets::Translated, &[(0, 4), (1, 1), (2, 6)])
                .starts_with("twice, or in another order")
        );
    }

    #[test]
    fn a_place_lies_between_the_record_before_and_the_next_one() {
        let (source, target) = (log(&[(0, 1), (4, 2), (7, 3)]), log(&[(0, 1), (1, 2), (5, 3)]));
        let at = |offset| place(Kind::Transactional, &source, &target, offset, 6);
        assert_eq!(
            [at(0), at(1), at(4), at(5), at(8)],
            [0..=0, 1..=1, 1..=1, 2..=5, 6..=6]
        );
        // Number 2 is still on the target.
        let compacted = log(&[(0, 1), (7, 3)]);
        assert_eq!(place(Kind::Compacted, &compacted, &target, 3, 6), 1..=5);
    }
}
