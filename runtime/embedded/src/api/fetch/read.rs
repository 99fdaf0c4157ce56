use std::collections::HashMap;

use kafka_protocol::messages::{
    BrokerId, FetchRequest, ProducerId,
    fetch_response::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, PartitionData},
};

use super::sessions::Asked;
use crate::{
    ErrorCode, acls::Operation, api::list_offsets::check_epoch, context::Context, log::Log, state::State,
    topic::Partition,
};

/// One request's way through the logs. Pure: it can look as often as a long poll wakes.
pub(super) struct Reader<'a> {
    broker: i32,
    /// Faults, decided once for the request.
    refused: HashMap<(String, i32), ErrorCode>,
    request: &'a FetchRequest,
    version: i16,
    rack: &'a str,
}

/// What a partition has before anything is copied.
enum Look<'a> {
    Refused(ErrorCode),
    /// The client's log has another history behind this point (KIP-595).
    Diverging(&'a Log, EpochEndOffset),
    /// A replica nearer to the client has it all as well (KIP-392).
    Nearer(&'a Log, i32),
    Readable {
        log: &'a Log,
        bound: i64,
    },
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn new(ctx: &'a Context, request: &'a FetchRequest, version: i16) -> Self {
        Self {
            broker: ctx.broker,
            refused: HashMap::new(),
            request,
            version,
            rack: &request.rack_id,
        }
    }

    /// Faults of single partitions, each asked for once, and topics that the client may not read.
    pub(super) fn refuse(&mut self, ctx: &Context, asked: &[Asked]) {
        let state = ctx.state();
        for asked in asked {
            let access = || {
                // A topic by an id that nobody knows has no name.
                let named = Some(&asked.topic).filter(|topic| !topic.is_empty())?;
                let access = state.check_topic_access(&ctx.client, Operation::Read, named);
                access.err()
            };
            if let Some(code) = ctx.refused(&asked.topic, asked.partition).or_else(access) {
                self.refused
                    .insert((asked.topic.to_string(), asked.partition), code);
            }
        }
    }

    /// Whether a long poll may end: there are as many bytes as were asked for, or something else to tell.
    pub(super) fn is_enough(&self, state: &State, asked: &[Asked]) -> bool {
        if asked.is_empty() {
            return true;
        }
        let least = u64::try_from(self.request.min_bytes).unwrap_or(0);
        let mut bytes = 0;
        for asked in asked {
            match self.look(state, asked) {
                Look::Readable { log, bound } => {
                    let limit = u64::try_from(asked.max_bytes).unwrap_or(0);
                    bytes += log.available(asked.offset, bound).min(limit);
                }
                _ => return true,
            }
            if bytes >= least {
                return true;
            }
        }
        false
    }

    /// Everything, within the request's limits. The first batch is answered whole even where it is larger than they are.
    pub(super) fn read(&self, state: &State, asked: &[Asked]) -> Vec<PartitionData> {
        let mut room = usize::try_from(self.request.max_bytes).unwrap_or(0);
        let mut is_first = true;
        asked
            .iter()
            .map(|asked| {
                let (log, bound) = match self.look(state, asked) {
                    Look::Refused(code) => return self.refused(state, asked, code),
                    Look::Diverging(log, end) => return header(asked, log).with_diverging_epoch(end),
                    Look::Nearer(log, replica) => {
                        return header(asked, log).with_preferred_read_replica(BrokerId(replica));
                    }
                    Look::Readable { log, bound } => (log, bound),
                };
                let limit = usize::try_from(asked.max_bytes).unwrap_or(0).min(room);
                let read = log.read(asked.offset, limit, bound, is_first);
                is_first &= read.records.is_empty();
                room = room.saturating_sub(read.records.len());
                let mut answer = header(asked, log);
                if self.is_committed() {
                    let aborted = log.aborted(asked.offset, read.next).map(|aborted| {
                        AbortedTransaction::default()
                            .with_producer_id(ProducerId(aborted.producer_id))
                            .with_first_offset(aborted.first_offset)
                    });
                    answer.aborted_transactions = Some(aborted.collect());
                }
                answer.with_records(Some(read.records))
            })
            .collect()
    }

    fn is_committed(&self) -> bool {
        self.request.isolation_level == 1
    }

    fn look<'s>(&self, state: &'s State, asked: &Asked) -> Look<'s> {
        let found = self.find(state, asked).and_then(|partition| {
            check_epoch(partition, asked.leader_epoch)?;
            let may_follow = self.version >= 11 && partition.isr.contains(&self.broker);
            if partition.leader == self.broker || may_follow {
                Ok(partition)
            } else {
                Err(ErrorCode::NotLeaderOrFollower)
            }
        });
        let partition = match found {
            Ok(partition) => partition,
            Err(code) => return Look::Refused(code),
        };
        let log = &partition.log;
        if asked.last_epoch >= 0 {
            match log.end_of_epoch(asked.last_epoch) {
                None => return Look::Refused(ErrorCode::OffsetOutOfRange),
                Some(_) if asked.offset < log.start() => return Look::Refused(ErrorCode::OffsetOutOfRange),
                Some(end) if end.epoch < asked.last_epoch || end.end < asked.offset => {
                    let end = EpochEndOffset::default()
                        .with_epoch(end.epoch)
                        .with_end_offset(end.end);
                    return Look::Diverging(log, end);
                }
                Some(_) => {}
            }
        }
        if asked.offset < log.start() || asked.offset > log.end() {
            return Look::Refused(ErrorCode::OffsetOutOfRange);
        }
        if let Some(replica) = self.nearer(state, partition) {
            return Look::Nearer(log, replica);
        }
        let bound = if self.is_committed() {
            log.last_stable_offset()
        } else {
            log.end()
        };
        Look::Readable { log, bound }
    }

    fn find<'s>(&self, state: &'s State, asked: &Asked) -> Result<&'s Partition, ErrorCode> {
        if !self.refused.is_empty()
            && let Some(code) = self.refused.get(&(asked.topic.to_string(), asked.partition))
        {
            return Err(*code);
        }
        let by_id = self.version >= 13;
        let Some(topic) = state.topics.get(&asked.topic) else {
            return Err(if by_id {
                ErrorCode::UnknownTopicId
            } else {
                ErrorCode::UnknownTopicOrPartition
            });
        };
        if by_id && topic.id != asked.id {
            return Err(ErrorCode::InconsistentTopicId);
        }
        topic
            .partition(asked.partition)
            .ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    /// The replica in the client's rack that a leader sends it to, when that is not the leader (`RackAwareReplicaSelector`).
    fn nearer(&self, state: &State, partition: &Partition) -> Option<i32> {
        let selector = state.configs.cluster("replica.selector.class");
        if self.rack.is_empty()
            || partition.leader != self.broker
            || !selector.ends_with("RackAwareReplicaSelector")
        {
            return None;
        }
        let in_rack = |id: &i32| {
            let broker = state.brokers.get(id);
            state.is_running(*id) && broker.is_some_and(|broker| broker.rack.as_deref() == Some(self.rack))
        };
        if in_rack(&partition.leader) {
            return None;
        }
        partition.isr.iter().copied().find(in_rack)
    }

    fn refused(&self, state: &State, asked: &Asked, code: ErrorCode) -> PartitionData {
        let answer = failed(asked, code);
        let tells_leader = matches!(
            code,
            ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch
        );
        match state.topics.partition(&asked.topic, asked.partition) {
            Some(partition) if self.version >= 16 && tells_leader => answer.with_current_leader(
                LeaderIdAndEpoch::default()
                    .with_leader_id(BrokerId(partition.leader))
                    .with_leader_epoch(partition.leader_epoch),
            ),
            _ => answer,
        }
    }
}

fn header(asked: &Asked, log: &Log) -> PartitionData {
    PartitionData::default()
        .with_partition_index(asked.partition)
        .with_high_watermark(log.end())
        .with_last_stable_offset(log.last_stable_offset())
        .with_log_start_offset(log.start())
        .with_preferred_read_replica(BrokerId(-1))
        .with_aborted_transactions(None)
        .with_records(Some(bytes::Bytes::new()))
}

pub(super) fn failed(asked: &Asked, code: ErrorCode) -> PartitionData {
    PartitionData::default()
        .with_partition_index(asked.partition)
        .with_error_code(code.code())
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_preferred_read_replica(BrokerId(-1))
        .with_aborted_transactions(None)
        .with_records(Some(bytes::Bytes::new()))
}
