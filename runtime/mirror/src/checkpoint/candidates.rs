//! Which committed offsets are of partitions that are mirrored.

use std::collections::{BTreeMap, HashMap};

use towpath_domain::{ClusterId, GroupId, Partition, TopicId, TopicName, TopicPartition};
use towpath_wire::positions::{Position, PositionKey};

use super::read::Offsets;

/// A group's offset of a partition that is mirrored.
#[derive(Debug)]
pub(super) struct Candidate {
    pub group: GroupId,
    pub from: TopicPartition,
    pub to: TopicPartition,
    /// of the row with the map
    pub key: PositionKey,
}

/// The rows of one source partition, by where they mirror it to.
type Rows<'a> = BTreeMap<TopicPartition, (&'a PositionKey, &'a Position)>;

/// Where groups have offsets of partitions that are mirrored. Of what several connectors have mirrored to the same place, it is the one that was there last.
pub(super) fn candidates(
    positions: &HashMap<PositionKey, Position>,
    cluster: &ClusterId,
    topic_ids: &HashMap<TopicName, TopicId>,
    offsets: &Offsets,
) -> Vec<Candidate> {
    let mut rows: HashMap<(TopicId, Partition), Rows<'_>> = HashMap::new();
    for (key, row) in positions.iter().filter(|(key, _)| key.source == *cluster) {
        let to = TopicPartition {
            topic: row.target.topic.clone(),
            partition: row.target.partition,
        };
        let of_source = rows.entry((key.topic, key.partition)).or_default();
        let is_later = |other: &Position| (row.target.next, row.offset) > (other.target.next, other.offset);
        if of_source.get(&to).is_none_or(|(_, other)| is_later(other)) {
            of_source.insert(to, (key, row));
        }
    }
    let mut candidates = Vec::new();
    for (group, offsets) in offsets {
        for from in offsets.keys() {
            let Some(id) = topic_ids.get(&from.topic) else {
                continue;
            };
            let found = rows.get(&(*id, from.partition)).into_iter().flatten();
            candidates.extend(found.map(|(to, (key, _))| Candidate {
                group: group.clone(),
                from: from.clone(),
                to: to.clone(),
                key: (*key).clone(),
            }));
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use towpath_domain::{LeaderEpoch, Offset, offset_map::Runs};
    use towpath_wire::{CommittedOffset, positions::TargetPosition};

    use super::*;

    const NEW: TopicId = TopicId::ZERO;

    fn row(connector: &str, source: &str, target: &str, next: i64) -> (PositionKey, Position) {
        let key = PositionKey {
            connector: connector.to_owned(),
            source: ClusterId(source.to_owned()),
            topic: NEW,
            partition: Partition(0),
        };
        let position = Position {
            offset: Offset(1000 - next),
            epoch: LeaderEpoch(0),
            topic: "orders".into(),
            target: TargetPosition {
                topic: target.into(),
                topic_id: TopicId::ZERO,
                partition: Partition(0),
                next: Some(Offset(next)),
            },
            anchor: None,
            runs: Runs::default(),
            open: false,
            preserved: None,
            transactional: false,
            caught_up_at: None,
            resolved: None,
        };
        (key, position)
    }

    fn found(rows: &[(PositionKey, Position)]) -> Vec<(String, String)> {
        let positions = rows.iter().cloned().collect();
        let committed = CommittedOffset {
            offset: Offset(3),
            leader_epoch: LeaderEpoch(0),
            metadata: String::new(),
        };
        let places = ["orders", "unknown"].map(|topic| (TopicPartition::new(topic, 0), committed.clone()));
        let offsets = Offsets::from([(GroupId("billing".to_owned()), HashMap::from(places))]);
        let ids = HashMap::from([("orders".into(), NEW)]);
        candidates(&positions, &ClusterId("here".to_owned()), &ids, &offsets)
            .into_iter()
            .map(|found| (found.key.connector, found.to.topic.to_string()))
            .collect()
    }

    #[test]
    fn only_partitions_with_a_row_of_this_source_are_synced() {
        let rows = [row("a", "here", "orders", 5), row("a", "elsewhere", "legacy", 9)];
        assert_eq!(found(&rows), [("a".to_owned(), "orders".to_owned())]);
        assert_eq!(found(&[]), []);
    }

    #[test]
    fn the_connector_that_wrote_last_has_the_map_of_a_place() {
        // The first one read further at the source; the second one went on in the emptied topic.
        let rows = [
            row("first", "here", "orders", 5),
            row("second", "here", "orders", 9),
            row("other", "here", "copy", 1),
        ];
        let both = [("other", "copy"), ("second", "orders")];
        assert_eq!(
            found(&rows),
            both.map(|(connector, topic)| (connector.to_owned(), topic.to_owned()))
        );
    }
}
