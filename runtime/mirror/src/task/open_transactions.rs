//! Transactions of the source that hang: who has them open is asked of the leaders (DescribeProducers, KIP-664) when lanes have waited long enough, and told
//! in the status. Nothing is stopped: when a transaction ends, there is something to read.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use towpath_domain::{
    Offset, TopicPartition,
    state::{OpenTransaction, PartitionState},
};
use towpath_wire::{Error, ProducerState};

use super::{Event, Task};

/// What leaders know of those who write, by partition.
pub(super) type Producers = HashMap<TopicPartition, Result<Vec<ProducerState>, Error>>;

/// Looked for so many times in the time that a transaction may be open.
const LOOKS: u32 = 4;
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

// === impl Task ===

impl Task {
    pub(super) fn pump_open_transactions(&mut self) {
        let now = Instant::now();
        let is_soon = self.ask_producers_at.is_some_and(|at| at > now);
        if self.asking_producers || self.draining || is_soon {
            return;
        }
        let after = self.options.open_transaction_told_after;
        self.ask_producers_at = Some(now + (after / LOOKS).max(LEAST_INTERVAL));
        let waiting = self.lanes.iter().enumerate().filter_map(|(index, lane)| {
            let (at, since) = lane.waits_for_transaction()?;
            (now.saturating_duration_since(since) >= after).then_some((index, at))
        });
        let waiting: Vec<(usize, Offset)> = waiting.collect();
        if waiting.is_empty() {
            return;
        }
        let partitions: Vec<TopicPartition> = waiting
            .iter()
            .map(|(index, _)| self.lanes.at(*index).0.source.clone())
            .collect();
        self.asking_producers = true;
        let source = self.options.source.clone();
        self.work.push(Box::pin(async move {
            let producers = source.describe_producers(&partitions).await;
            Event::Producers(waiting, producers)
        }));
    }

    pub(super) fn told_producers(&mut self, asked: &[(usize, Offset)], mut producers: Producers) {
        self.asking_producers = false;
        for &(index, at) in asked {
            let (lane, _) = self.lanes.at(index);
            let is_still_so = lane
                .waits_for_transaction()
                .is_some_and(|(offset, _)| offset == at);
            let Some(found) = producers.remove(&lane.source).filter(|_| is_still_so) else {
                continue;
            };
            let state = blocked(&lane.source, at, found);
            let lane = &mut self.lanes[index];
            if lane.tell_open_transaction(state.clone()) {
                tracing::warn!(connector = self.options.connector, partition = %lane.source, "{state}");
            }
        }
    }
}

/// What is told of the transaction that is open at this offset.
fn blocked(place: &TopicPartition, at: Offset, found: Result<Vec<ProducerState>, Error>) -> PartitionState {
    let TopicPartition { topic, partition } = place;
    let mut remedy = format!(
        "end that producer or let it go on, or abort what it has left open on the source: kafka-transactions.sh abort --topic {topic} --partition {partition} --start-offset {at}"
    );
    let mut producer = None;
    match found {
        Ok(producers) => {
            let mut of_it = producers.iter();
            match of_it.find(|state| state.current_txn_start_offset == Some(at)) {
                Some(state) => {
                    producer = Some(OpenTransaction {
                        id: state.producer.id,
                        epoch: state.producer.epoch,
                        last_timestamp: state.last_timestamp,
                    });
                }
                None => remedy = "the leader knows no producer that has it open: its end may wait for replicas that are behind, see which are in sync".to_owned(),
            }
        }
        Err(error) => remedy = format!("the source does not say who has it open ({error}); {remedy}"),
    }
    PartitionState::BlockedByOpenTransaction {
        offset: at,
        producer,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use towpath_wire::ProducerId;

    use super::*;

    fn state(id: i64, open_at: Option<i64>) -> ProducerState {
        ProducerState {
            producer: ProducerId { id, epoch: 3 },
            last_sequence: 0,
            last_timestamp: 1_700_000_000_000,
            coordinator_epoch: 0,
            current_txn_start_offset: open_at.map(Offset),
        }
    }

    fn told(found: Result<Vec<ProducerState>, Error>) -> String {
        blocked(&TopicPartition::new("orders", 2), Offset(40), found).to_string()
    }

    #[test]
    fn the_producer_is_named_whose_transaction_begins_there() {
        let told = told(Ok(vec![state(1, None), state(2, Some(41)), state(3, Some(40))]));
        for part in [
            "producer 3, epoch 3, last written to at 1700000000000 ms",
            "open at the source's offset 40",
            "--topic orders --partition 2 --start-offset 40",
        ] {
            assert!(told.contains(part), "{part:?} is missing in {told}");
        }
    }

    #[test]
    fn where_nobody_says_who_it_is_that_is_told() {
        let unknown = told(Ok(vec![state(1, None), state(2, Some(41))]));
        assert!(
            unknown.contains("knows no producer") && !unknown.contains("producer 2"),
            "{unknown}"
        );
        let refused = told(Err(Error::Closed));
        assert!(
            refused.contains("the client was closed") && refused.contains("kafka-transactions.sh abort"),
            "{refused}"
        );
    }
}
