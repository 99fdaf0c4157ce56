//! Deleting on the target what the source has deleted, where the tombstones that said so are gone: the keys that the target has and the source has not get one.
//!
//! The source is read first, and of it are kept 16 bytes a key that has a value; then the target, for keys that are not among them; then the target once more, for those
//! keys themselves. Records that come to the source meanwhile are mirrored behind the tombstones.
//!
//! Before the first tombstone is written the row gives its anchor up: whatever the log has behind it, the next start begins at the log's end. What is stopped halfway has
//! written some of the tombstones, is still `tombstones-missed`, and is done by doing it again.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use towpath_domain::{
    Offset, TopicPartition,
    offset_map::{Run, Runs},
};
use towpath_wire::{Client, Isolation, OffsetSpec, positions::Position};

use super::{Error, Subject, decide::Change, seen::Seen};
use crate::reading::Reading;

/// What is to be swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sweep {
    /// what is before it on the target is not the mirror's
    pub from: Offset,
}

/// Keys by 128 bits that nobody can foresee: two keys with the same are not met.
struct Keys {
    hashers: [RandomState; 2],
    found: HashSet<u128>,
}

/// Keys of the target that the source does not have any more.
pub(super) struct Lingering {
    keys: Keys,
    from: Offset,
}

// === impl Keys ===

impl Keys {
    fn new(hashers: [RandomState; 2]) -> Self {
        Self {
            hashers,
            found: HashSet::new(),
        }
    }

    fn hash(&self, key: &[u8]) -> u128 {
        let [high, low] = self
            .hashers
            .each_ref()
            .map(|hasher| u128::from(hasher.hash_one(key)));
        (high << 64) | low
    }

    /// Takes over what a record says of its key.
    fn see(&mut self, key: &[u8], has_value: bool) {
        let hash = self.hash(key);
        if has_value {
            self.found.insert(hash);
        } else {
            self.found.remove(&hash);
        }
    }

    fn has(&self, key: &[u8]) -> bool {
        self.found.contains(&self.hash(key))
    }
}

// === impl Lingering ===

impl Lingering {
    /// Reads both sides.
    pub(super) async fn find(subject: &Subject, seen: &Seen, sweep: Sweep) -> Result<Self, Error> {
        let hashers = [RandomState::new(), RandomState::new()];
        let mut live = Keys::new(hashers.clone());
        let bounds = bounds(&subject.source, &seen.source, subject.isolation).await?;
        let source = Reading::new(&subject.source, &seen.source, subject.isolation, bounds);
        source
            .records(|record| {
                if let Some(key) = record.key {
                    live.see(key, record.value.is_some());
                }
            })
            .await?;
        let mut keys = Keys::new(hashers);
        let target = target(subject, seen, sweep.from).await?;
        target
            .records(|record| {
                if let Some(key) = record.key.filter(|key| !live.has(key)) {
                    keys.see(key, record.value.is_some());
                }
            })
            .await?;
        Ok(Self {
            keys,
            from: sweep.from,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.keys.found.len()
    }

    /// Writes their tombstones, and answers where the target's log ends then.
    pub(super) async fn delete(mut self, subject: &Subject, seen: &Seen) -> Result<Offset, Error> {
        let mut keys = Vec::with_capacity(self.count());
        let target = target(subject, seen, self.from).await?;
        target
            .records(|record| {
                if let Some(key) = record.key.filter(|key| self.keys.has(key)) {
                    keys.push(key.to_vec());
                    self.keys.see(key, false);
                }
            })
            .await?;
        subject.target.append_tombstones(&seen.place, &keys).await?;
        Ok(bounds(&subject.target, &seen.place, Isolation::ReadUncommitted)
            .await?
            .1)
    }
}

async fn target<'a>(subject: &'a Subject, seen: &'a Seen, from: Offset) -> Result<Reading<'a>, Error> {
    // Copies of transactions that were aborted are nobody's.
    let (start, end) = bounds(&subject.target, &seen.place, Isolation::ReadCommitted).await?;
    let within = (start.max(from), end);
    Ok(Reading::new(
        &subject.target,
        &seen.place,
        Isolation::ReadCommitted,
        within,
    ))
}

async fn bounds(
    client: &Client,
    place: &TopicPartition,
    isolation: Isolation,
) -> Result<(Offset, Offset), Error> {
    let one = std::slice::from_ref(place);
    let mut bounds = [Offset(0); 2];
    for (bound, at) in bounds.iter_mut().zip([OffsetSpec::Earliest, OffsetSpec::Latest]) {
        let mut listed = client.list_offsets(one, at, isolation).await?;
        let unseen = |error| Error::Unseen {
            what: place.to_string(),
            error,
        };
        *bound = match listed.remove(place) {
            Some(Ok(listed)) => listed.offset,
            Some(Err(error)) => return Err(unseen(error)),
            None => return Err(unseen(towpath_wire::KafkaError::LEADER_NOT_AVAILABLE)),
        };
    }
    Ok((bounds[0], bounds[1]))
}

/// What is stored before the first tombstone: the row that the decision changes, without its anchor, and still as stale as it was.
pub(super) fn before(seen: &Seen, decided: &Change) -> Option<Change> {
    let (key, position) = decided.rows.first()?;
    let position = position.as_ref()?;
    let place = seen.target.map(|target| target.log.end)?;
    let mut runs = match &seen.behind {
        Some(behind) => behind
            .runs
            .iter()
            .filter(|run: &Run| run.source < position.offset)
            .collect(),
        None => Runs::default(),
    };
    let is_mapped = !runs.is_empty();
    // Where it will be is said by the row that follows; not where it would have been, as there is a tombstone.
    runs.note(position.offset, Offset(place.0 + 1));
    let row = Position {
        anchor: None,
        runs: Runs::default(),
        open: false,
        transactional: false,
        caught_up_at: seen.row.as_ref().and_then(|row| row.caught_up_at),
        resolved: None,
        ..placed(position, place)
    };
    Some(Change {
        rows: vec![(key.clone(), Some(row))],
        seal: is_mapped.then(|| (key.clone(), runs)),
        ..Change::default()
    })
}

/// What is stored behind the tombstones, which end there.
pub(super) fn behind(decided: &mut Change, end: Offset) {
    for (_, position) in &mut decided.rows {
        if let Some(position) = position {
            *position = Position {
                anchor: None,
                runs: Runs::default(),
                open: false,
                transactional: false,
                ..placed(position, end)
            };
        }
    }
}

fn placed(position: &Position, next: Offset) -> Position {
    let mut position = position.clone();
    position.target.next = Some(next);
    position
}
