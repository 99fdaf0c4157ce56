//! What it costs to give a topic's records the source's offsets: offsets before the first record are filled, those without a record are taken one by one.

use std::collections::HashMap;

use towpath_domain::{Offset, TopicName, TopicPartition};
use towpath_wire::{Error, Isolation, OffsetSpec, Tail, TailBatch};

use super::{super::Discovery, Undecided};
use crate::status::Chosen;

/// A topic with more offsets before its first records is translated. Filling so many takes a broker about 20 s of CPU.
const MOST_FILLER: i64 = 100_000_000;
/// How many of the log's last offsets are looked at to know how many have none.
const SAMPLE: i64 = 200;

/// Of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// offsets of all its partitions
    filler: i64,
    /// some of the last offsets have no record, or are of transactions, whose markers have none
    has_gaps: bool,
}

type Spans = HashMap<TopicPartition, (Offset, Offset)>;

// === impl Discovery ===

impl Discovery {
    /// None of those that cannot be looked at yet: that is a trouble.
    pub(super) async fn costs<'a>(
        &mut self,
        topics: Vec<Undecided<'a>>,
    ) -> Result<Vec<(Undecided<'a>, Option<Cost>)>, Error> {
        let partitions: Vec<TopicPartition> =
            topics.iter().flat_map(|(topic, _)| self.unknown(topic)).collect();
        let troubles = self.troubles.len();
        let starts = self.find_starts(&partitions).await?;
        // They are said when the partitions are begun.
        self.troubles.truncate(troubles);
        let ends = self
            .source
            .list_offsets(&partitions, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await?;
        let mut spans = Spans::new();
        let mut failed: HashMap<TopicName, String> = HashMap::new();
        for (partition, end) in ends {
            match (starts.get(&partition), end) {
                (Some((start, _)), Ok(end)) => drop(spans.insert(partition, (*start, end.offset))),
                (_, Err(error)) => {
                    failed.insert(
                        partition.topic.clone(),
                        format!("finding the end of {partition}: {error}"),
                    );
                }
                (None, Ok(_)) => {}
            }
        }
        let mut gaps: HashMap<TopicName, bool> = HashMap::new();
        for (partition, tail) in self.source.tails(&samples(&spans)).await {
            match tail {
                Ok(tail) => drop(gaps.insert(partition.topic, has_gaps(&tail))),
                Err(error) => {
                    failed.insert(
                        partition.topic.clone(),
                        format!("looking at the end of {partition}: {error}"),
                    );
                }
            }
        }
        let cost = |topic: Undecided<'a>| {
            let name = &topic.0.name;
            let of_topic = spans.iter().filter(|(partition, _)| partition.topic == *name);
            let cost = Cost {
                filler: of_topic.map(|(_, (start, _))| start.0).sum(),
                has_gaps: gaps.get(name).copied().unwrap_or(false),
            };
            (topic, (!failed.contains_key(name)).then_some(cost))
        };
        let costs = topics.into_iter().map(cost).collect();
        self.troubles.extend(failed.into_values());
        Ok(costs)
    }
}

/// The end of each topic's longest partition.
fn samples(spans: &Spans) -> HashMap<TopicPartition, Offset> {
    let mut longest: HashMap<&TopicName, (&TopicPartition, Offset, Offset)> = HashMap::new();
    for (partition, (start, end)) in spans {
        let is_longer = longest
            .get(&partition.topic)
            .is_none_or(|(_, from, to)| end.0 - start.0 > to.0 - from.0);
        if is_longer && end > start {
            longest.insert(&partition.topic, (partition, *start, *end));
        }
    }
    longest
        .into_values()
        .map(|(partition, start, end)| (partition.clone(), start.max(Offset(end.0 - SAMPLE))))
        .collect()
}

fn has_gaps(tail: &Tail) -> bool {
    let is_behind = |pair: &[TailBatch]| pair[0].next == pair[1].first;
    !tail.batches.windows(2).all(is_behind)
        || tail
            .batches
            .iter()
            .any(|batch| batch.is_control || batch.is_transactional)
}

// === impl Cost ===

impl Cost {
    pub(super) fn choice(self) -> Chosen {
        let Self { filler, has_gaps } = self;
        if filler > MOST_FILLER {
            return Chosen::translate(format!(
                "{filler} offsets before its first records would have to be filled, more than {MOST_FILLER}; offsets.mode=preserve does it"
            ));
        }
        if has_gaps {
            return Chosen::translate(
                "offsets of its end have no record, or are of transactions: each without one would cost an empty transaction, and stop the partition where the target's \
                 coordinator writes its marker twice; offsets.mode=preserve does it",
            );
        }
        Chosen::preserve(format!(
            "the target allows it, {filler} offsets are filled, and none was seen without a record"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Offsets;

    fn tail(batches: &[(i64, i64, bool, bool)]) -> Tail {
        let batches = batches
            .iter()
            .map(|(first, next, is_transactional, is_control)| TailBatch {
                first: Offset(*first),
                next: Offset(*next),
                producer: 7,
                epoch: 0,
                sequence: -1,
                is_control: *is_control,
                is_transactional: *is_transactional,
                is_commit: *is_control,
            })
            .collect::<Vec<_>>();
        Tail {
            end: batches.last().map_or(Offset(0), |last| last.next),
            batches,
        }
    }

    #[test]
    fn holes_and_transactions_are_gaps() {
        let has = |batches: &[(i64, i64, bool, bool)]| has_gaps(&tail(batches));
        assert!(!has(&[]));
        assert!(!has(&[(100, 150, false, false), (150, 200, false, false)]));
        assert!(has(&[(100, 109, true, false), (109, 110, true, true)]));
        assert!(has(&[(100, 200, true, false)]), "its marker is elsewhere");
        assert!(has(&[(109, 110, true, true), (110, 120, false, false)]));
        assert!(has(&[(100, 140, false, false), (160, 200, false, false)]));
    }

    #[test]
    fn the_end_of_the_longest_partition_is_looked_at() {
        let spans = Spans::from([
            (TopicPartition::new("a", 0), (Offset(5), Offset(50))),
            (TopicPartition::new("a", 1), (Offset(1000), Offset(5000))),
            (TopicPartition::new("b", 0), (Offset(7), Offset(8))),
            (TopicPartition::new("empty", 0), (Offset(7), Offset(7))),
        ]);
        let expected = HashMap::from([
            (TopicPartition::new("a", 1), Offset(5000 - SAMPLE)),
            (TopicPartition::new("b", 0), Offset(7)),
        ]);
        assert_eq!(samples(&spans), expected);
    }

    #[test]
    fn what_costs_too_much_or_has_transactions_is_translated() {
        let choice = |filler, has_gaps| Cost { filler, has_gaps }.choice().offsets;
        assert_eq!(choice(MOST_FILLER, false), Offsets::Preserve);
        assert_eq!(choice(MOST_FILLER + 1, false), Offsets::Translate);
        assert_eq!(choice(0, true), Offsets::Translate);
    }
}
