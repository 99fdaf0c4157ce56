//! The committed offsets of one group, and those that wait for the end of a transaction.

use std::collections::BTreeMap;

use crate::log::Outcome;

/// `offset.metadata.max.bytes`
pub(crate) const METADATA_MAX_BYTES: usize = 4096;

type Partition = (String, i32);

#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: BTreeMap<Partition, Offset>,
    /// By producer id.
    pending: BTreeMap<i64, BTreeMap<Partition, Offset>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    pub(crate) offset: i64,
    /// -1 if unknown.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

// === impl Offsets ===

impl Offsets {
    pub(crate) fn commit(&mut self, topic: &str, partition: i32, offset: Offset) {
        self.committed.insert((topic.to_owned(), partition), offset);
    }

    /// Becomes an offset of the group when the transaction commits.
    pub(crate) fn commit_in_transaction(
        &mut self,
        producer_id: i64,
        topic: &str,
        partition: i32,
        offset: Offset,
    ) {
        let pending = self.pending.entry(producer_id).or_default();
        pending.insert((topic.to_owned(), partition), offset);
    }

    pub(crate) fn end(&mut self, producer_id: i64, outcome: Outcome) {
        let pending = self.pending.remove(&producer_id).unwrap_or_default();
        match outcome {
            Outcome::Commit => self.committed.extend(pending),
            Outcome::Abort => {}
        }
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Offset> {
        self.committed.get(&(topic.to_owned(), partition))
    }

    /// Whether a transaction may still change the offset (KIP-447).
    pub(crate) fn is_pending(&self, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.pending.values().any(|pending| pending.contains_key(&key))
    }

    /// Every partition with an offset; one whose first waits for its transaction is not among them.
    pub(crate) fn partitions(&self) -> BTreeMap<&str, Vec<i32>> {
        let mut topics = BTreeMap::<_, Vec<_>>::new();
        for (topic, partition) in self.committed.keys() {
            topics.entry(topic.as_str()).or_default().push(*partition);
        }
        topics
    }

    pub(crate) fn delete(&mut self, topic: &str, partition: i32) {
        self.committed.remove(&(topic.to_owned(), partition));
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.committed.retain(|(name, _), _| name != topic);
        for pending in self.pending.values_mut() {
            pending.retain(|(name, _), _| name != topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Offset {
        Offset {
            offset,
            leader_epoch: -1,
            metadata: String::new(),
        }
    }

    #[test]
    fn offsets_of_a_transaction_count_when_it_commits() {
        let mut offsets = Offsets::default();
        offsets.commit("t", 0, at(5));
        offsets.commit_in_transaction(7, "t", 0, at(9));
        offsets.commit_in_transaction(8, "t", 1, at(1));
        assert!(offsets.is_pending("t", 0));
        assert_eq!(offsets.get("t", 0), Some(&at(5)));

        offsets.end(7, Outcome::Commit);
        offsets.end(8, Outcome::Abort);

        assert!(!offsets.is_pending("t", 0) && !offsets.is_pending("t", 1));
        assert_eq!(offsets.get("t", 0), Some(&at(9)));
        assert_eq!(offsets.get("t", 1), None);
    }

    #[test]
    fn offsets_end_with_their_topic() {
        let mut offsets = Offsets::default();
        offsets.commit("t", 0, at(5));
        offsets.commit("u", 0, at(6));
        offsets.commit_in_transaction(7, "t", 1, at(9));
        offsets.forget_topic("t");
        assert_eq!(offsets.partitions(), BTreeMap::from([("u", vec![0])]));
        assert!(!offsets.is_pending("t", 1));
    }
}
