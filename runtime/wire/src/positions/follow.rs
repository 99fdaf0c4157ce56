//! The table, kept up to date: what was written since it was last read, and nothing twice.

use std::collections::HashMap;

use towpath_domain::{Buckets, Offset, Partition, TopicId};

use super::{Positions, Table, load, partition, refused, unfit};
use crate::{Error, Isolation, OffsetSpec};

/// A table in memory, and up to where it was read.
#[derive(Debug, Default)]
pub struct Followed {
    pub table: Table,
    read: HashMap<Partition, Offset>,
    /// of this topic
    topic_id: TopicId,
}

// === impl Followed ===

impl Followed {
    /// Takes over every row that was written before the call. The first time it reads the whole table, then what is new: when nothing is, one ListOffsets of each
    /// leader. A topic that was created again is read from its start. After an error what was read before is there, and is gone on from.
    pub async fn refresh(&mut self, positions: &Positions) -> Result<(), Error> {
        let (client, topic) = (&positions.client, &positions.topic);
        let places: Vec<_> = Buckets::ALL
            .iter()
            .map(|bucket| partition(topic, bucket.0 as i32))
            .collect();
        let listed = client
            .list_offsets(&places, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await?;
        let mut ends = HashMap::new();
        for place in &places {
            let end = match listed.get(place) {
                Some(Ok(listed)) => listed.offset,
                Some(Err(error)) => {
                    let what = format!("partition {} cannot be read", place.partition);
                    return Err(refused(topic, what, *error));
                }
                None => {
                    let what = format!("partition {} was not listed", place.partition);
                    return Err(unfit(topic, what));
                }
            };
            ends.insert(place.partition, end);
        }
        let found = client.topic_id(topic).unwrap_or(positions.topic_id);
        let is_shorter = |(partition, read): (&Partition, &Offset)| ends.get(partition) < Some(read);
        if found != self.topic_id || self.read.iter().any(is_shorter) {
            *self = Self {
                topic_id: found,
                ..Self::default()
            };
        }
        let mut left = load::Bounds::new();
        if self.read.is_empty() {
            left = load::bounds(client, topic, Buckets::ALL).await?;
        } else {
            for (partition, end) in &ends {
                let from = self.read.get(partition).copied().unwrap_or(Offset(0));
                if from < *end {
                    left.insert(*partition, (from, *end));
                }
            }
        }
        for (partition, (_, end)) in &left {
            ends.insert(*partition, *end);
        }
        if !left.is_empty() {
            load::read(client, topic, left, &mut self.table).await?;
        }
        self.read = ends;
        Ok(())
    }
}
