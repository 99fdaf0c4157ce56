//! Records in transactions: one at a time a bucket, for all of its lanes that have one planned. What has become of it is said by the coordinator, or by the logs.

use std::{collections::HashMap, time::Instant};

use towpath_domain::Bucket;
use towpath_wire::{
    Error, KafkaError, ProducerId, Tails,
    positions::{Refused, Transacted as Outcome},
};

use super::{Event, Side, Task, lane::Failure, producing};

/// A transaction of one bucket.
pub(super) struct Transacted {
    bucket: Bucket,
    lanes: Vec<usize>,
    outcome: Result<Outcome, Error>,
}

/// Bytes that a limit has to have room for.
const ROOM: usize = 4 * 1024 * 1024;

// === impl Task ===

impl Task {
    pub(super) fn pump_transactions(&mut self) {
        let now = Instant::now();
        if self.planned.is_empty() || self.options.throttles.target.room(ROOM, now).is_none() {
            return;
        }
        let mut by_bucket: HashMap<Bucket, Vec<usize>> = HashMap::new();
        for index in std::mem::take(&mut self.planned) {
            let (lane, place) = self.lanes.at(index);
            if self.draining || !lane.may_begin(now) || place.target.is_none() {
                continue;
            }
            let bucket = lane.bucket();
            if self.marking.contains(&bucket) {
                // Looked at again when the bucket's turn has come.
                self.waiting.push(index);
                continue;
            }
            let lanes = by_bucket.entry(bucket).or_default();
            if !lanes.contains(&index) {
                lanes.push(index);
            }
        }
        for (bucket, mut lanes) in by_bucket {
            // One whose partition is what keeps a transaction from being committed must not hold up the others.
            if let Some(place) = lanes.iter().position(|index| self.lanes[*index].failures > 0) {
                let alone = lanes.swap_remove(place);
                self.waiting.append(&mut lanes);
                lanes.push(alone);
            }
            self.transact(bucket, lanes, now);
        }
    }

    fn transact(&mut self, bucket: Bucket, lanes: Vec<usize>, now: Instant) {
        let mut writes = Vec::with_capacity(lanes.len());
        for index in &lanes {
            writes.extend(self.lanes[*index].begin_transaction());
        }
        let batches = writes.iter().flat_map(|write| &write.batches);
        let bytes = batches.map(|batch| batch.size()).sum();
        self.options.throttles.target.take(bytes, now);
        self.marking.insert(bucket);
        let positions = std::sync::Arc::clone(&self.options.positions);
        let connector = self.options.connector.clone();
        self.work.push(Box::pin(async move {
            let outcome = positions.transact(&connector, bucket, &writes).await;
            Event::Transacted(Transacted {
                bucket,
                lanes,
                outcome,
            })
        }));
    }

    pub(super) fn transacted(&mut self, transacted: Transacted) {
        let Transacted {
            bucket,
            lanes,
            outcome,
        } = transacted;
        let now = Instant::now();
        self.marking.remove(&bucket);
        for index in std::mem::take(&mut self.waiting) {
            self.lanes.touch(index);
        }
        match outcome {
            Ok(Outcome::Committed(producer)) => {
                for index in lanes {
                    self.lanes[index].committed(producer, now);
                }
            }
            Ok(Outcome::Decided {
                producer,
                tails,
                refused,
                why,
            }) => {
                let has_failed = why.is_some();
                if let Some(why) = why {
                    self.again(Side::Target, why);
                }
                self.decided(&lanes, (producer, tails), &refused, has_failed);
            }
            Err(error) => {
                for index in lanes {
                    self.lanes[index].not_transacted(Some(now));
                }
                if error.is_fenced() {
                    return self.fenced(bucket.into());
                }
                self.again(Side::Target, format!("writing in a transaction: {error}"));
            }
        }
    }

    fn decided(
        &mut self,
        lanes: &[usize],
        (producer, mut tails): (ProducerId, Tails),
        refused: &[Refused],
        has_failed: bool,
    ) {
        let now = Instant::now();
        for &index in lanes {
            let lane = &mut self.lanes[index];
            match tails.remove(&lane.target) {
                _ if lane.has_lost_its_target() => lane.not_transacted(None),
                // Others were shut out first.
                None => lane.not_transacted(None),
                Some(Err(error)) => {
                    lane.not_transacted(Some(now));
                    self.again(Side::Target, format!("looking at what was written: {error}"));
                }
                Some(Ok(tail)) => {
                    if let Err(state) = lane.look(&tail, producer, now) {
                        lane.stop(state);
                        tracing::error!(partition = %lane.source, "{}", lane.state);
                        continue;
                    }
                    let is_it = |refused: &&Refused| refused.partition == lane.target;
                    match refused.iter().find(is_it) {
                        Some(refused) => self.refused(index, refused),
                        None if has_failed => lane.pause(now),
                        None => {}
                    }
                }
            }
        }
    }

    /// A batch was not taken: what is before it goes alone, and then it is the first.
    fn refused(&mut self, index: usize, refused: &Refused) {
        let lane = &mut self.lanes[index];
        let failure = producing::failure(refused.error, refused.message.as_deref());
        let is_final = match failure {
            Failure::TooLarge | Failure::Refused(_) => true,
            Failure::Unexplained(_) => !lane.may_pass(Instant::now()),
            Failure::Retry(_) | Failure::Identity(_) => false,
        };
        if self.draining || !is_final || is_of_the_transaction(refused.error) {
            return lane.pause(Instant::now());
        }
        if lane.is_refused_at(refused.index) && lane.has_pending() {
            self.fail(index, failure);
        }
    }
}

/// What may be otherwise with the next transaction, or is granted while it waits.
fn is_of_the_transaction(error: KafkaError) -> bool {
    matches!(
        error,
        KafkaError::INVALID_TXN_STATE
            | KafkaError::DUPLICATE_SEQUENCE_NUMBER
            | KafkaError::PRODUCER_FENCED
            | KafkaError::CONCURRENT_TRANSACTIONS
            | KafkaError::INVALID_PRODUCER_ID_MAPPING
            | KafkaError::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | KafkaError::TOPIC_AUTHORIZATION_FAILED
    )
}
