//! Producing: up to [`MAX_IN_FLIGHT`] requests a target broker, each with at most one batch a partition.
//!
//! A broker refuses two batches of a partition in one request, and keeps only the last, in silence, of a partition listed twice.

use std::{collections::HashMap, time::Instant};

use towpath_domain::TopicPartition;
use towpath_wire::{
    Appended, Error, KafkaError, Lease, NodeId, Operation, ProduceAnswer, ProducePartition, ProduceRequest,
    Retry,
};

use super::{
    Event, Side, Task,
    lane::{Failure, MAX_IN_FLIGHT, Ticket},
};

/// A request is closed above this, so that a broker's `socket.request.max.bytes` (100 MiB by default) is far away.
const REQUEST_BYTES: usize = 8 * 1024 * 1024;
const ACKS_ALL: i16 = -1;

/// What goes into one request.
#[derive(Default)]
struct Collected {
    sent: Vec<(usize, Ticket)>,
    partitions: Vec<ProducePartition>,
    bytes: usize,
    /// of those that have one
    lease: Option<Lease>,
}

// === impl Task ===

impl Task {
    pub(super) async fn pump_produce(&mut self) {
        let now = Instant::now();
        let nodes: Vec<NodeId> = self
            .producers
            .iter()
            .filter(|(_, broker)| !broker.ready.is_empty())
            .map(|(node, _)| *node)
            .collect();
        for node in nodes {
            while let Some(broker) = self.producers.get(&node) {
                if broker.ready.is_empty() || broker.peer.in_flight >= MAX_IN_FLIGHT {
                    break;
                }
                let Some(connection) = broker.peer.alive() else {
                    self.connect(Side::Target, node, now);
                    break;
                };
                // It is being told again who we are: the other brokers do not wait for that.
                if !connection.has_room() {
                    break;
                }
                let Some(most) = self.options.throttles.target.room(REQUEST_BYTES, now) else {
                    return;
                };
                let Collected {
                    sent,
                    partitions,
                    bytes,
                    lease,
                } = self.collect(node, most, now);
                if sent.is_empty() {
                    continue;
                }
                self.options.throttles.target.take(bytes, now);
                let request = ProduceRequest {
                    transactional_id: None,
                    acks: ACKS_ALL,
                    timeout: PRODUCE_TIMEOUT.min(self.options.target.options().request_timeout),
                    partitions,
                };
                // Queued here and not in a future of its own: the order of the requests is the order of the records.
                match connection.produce_under(request, lease).await {
                    Ok(answer) => {
                        self.peer(Side::Target, node).in_flight += 1;
                        self.work
                            .push(Box::pin(async move { Event::Produced(node, sent, answer.await) }));
                    }
                    Err(error) => {
                        self.not_produced(&sent, &error);
                        self.disconnected(Side::Target, node, &error);
                        break;
                    }
                }
                // Those that have more to send are in the queue again, for the next request.
                self.place();
            }
        }
    }

    /// The next batch of each lane in the broker's queue, until there are `most` bytes. Those whose turn came in vain leave the queue too: what lets
    /// them send, has them placed anew.
    fn collect(&mut self, node: NodeId, most: usize, now: Instant) -> Collected {
        let mut collected = Collected::default();
        let term = self.lease_term();
        while collected.bytes < most
            && let Some(index) = self
                .producers
                .get_mut(&node)
                .and_then(|broker| broker.ready.pop_front())
        {
            let (lane, place) = self.lanes.at(index);
            place.queued_at = None;
            if place.target.is_none_or(|leader| leader.node != node) {
                self.lanes.touch(index);
                continue;
            }
            if !lane.wants_send(now) || !lane.may_send_to(node) {
                continue;
            }
            if lane.preserved().is_some() {
                match self.leases.of(lane.bucket(), term, index, now) {
                    // The same one for all, or what is sent under the one before is not written any more.
                    Some(lease) => collected.lease = Some(lease),
                    None => continue,
                }
            }
            let ticket = Ticket(self.next_ticket);
            self.next_ticket += 1;
            let lane = &mut self.lanes[index];
            let Some(outgoing) = lane.send(ticket, node, now).cloned() else {
                continue;
            };
            collected.bytes += outgoing.size();
            collected.partitions.push(ProducePartition {
                partition: lane.target.clone(),
                topic_id: lane.target_id,
                batch: outgoing,
            });
            collected.sent.push((index, ticket));
        }
        collected
    }

    pub(super) fn produced(
        &mut self,
        node: NodeId,
        sent: &[(usize, Ticket)],
        result: Result<ProduceAnswer, Error>,
    ) {
        self.peer(Side::Target, node).in_flight -= 1;
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => {
                self.not_produced(sent, &error);
                self.disconnected(Side::Target, node, &error);
                return;
            }
        };
        let results: HashMap<&TopicPartition, &Result<Appended, KafkaError>> = answer
            .partitions
            .iter()
            .map(|(partition, result)| (partition, result))
            .collect();
        for &(index, ticket) in sent {
            let target = &self.lanes[index].target;
            match results.get(target) {
                Some(Ok(appended)) => {
                    let base = Some(appended.base_offset).filter(|base| base.0 >= 0);
                    self.lanes[index].appended(ticket, base);
                }
                Some(Err(error)) if *error == KafkaError::DUPLICATE_SEQUENCE_NUMBER => {
                    self.lanes[index].appended(ticket, None)
                }
                // Granted while we wait.
                Some(Err(error)) if *error == KafkaError::TOPIC_AUTHORIZATION_FAILED => {
                    let missing = self.options.target.not_allowed(Operation::Write, &target.topic);
                    self.lanes[index].failed(ticket, Failure::Retry(missing.to_string()));
                }
                Some(Err(error)) => {
                    let said = answer.messages.iter().find(|(partition, _)| partition == target);
                    let failure = failure(*error, said.map(|(_, message)| message.as_str()));
                    self.lanes[index].failed(ticket, failure);
                }
                None => {
                    let what = format!("{node}: the answer leaves out {target}");
                    self.lanes[index].failed(ticket, Failure::Retry(what));
                }
            }
            self.settle(index);
        }
    }

    fn not_produced(&mut self, sent: &[(usize, Ticket)], error: &Error) {
        let late = self.settled_at(Instant::now(), false);
        for &(index, ticket) in sent {
            self.lanes[index].settles(late);
            self.lanes[index].failed(ticket, Failure::Retry(error.to_string()));
            self.settle(index);
        }
    }
}

/// What an error of a partition's append asks for.
pub(super) fn failure(error: KafkaError, message: Option<&str>) -> Failure {
    let text = message.map_or_else(|| error.to_string(), |message| format!("{error}: {message}"));
    match error {
        KafkaError::MESSAGE_TOO_LARGE | KafkaError::RECORD_LIST_TOO_LARGE => Failure::TooLarge,
        // The broker has forgotten the producer (its state goes by record timestamps), or somebody truncated the log: the batches are
        // sent again as another producer's. Until exact delivery this may double what was appended without an answer.
        KafkaError::OUT_OF_ORDER_SEQUENCE_NUMBER
        | KafkaError::UNKNOWN_PRODUCER_ID
        | KafkaError::INVALID_PRODUCER_EPOCH => Failure::Identity(text),
        KafkaError::UNKNOWN_SERVER_ERROR => Failure::Unexplained(text),
        error if towpath_wire::classify(error) == Retry::Never => Failure::Refused(text),
        _ => Failure::Retry(text),
    }
}

/// How long the target's leader waits for its replicas, at most: no longer than any request may take.
const PRODUCE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);
