use std::{ops::RangeInclusive, time::Duration};

use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction},
    add_partitions_to_txn_response::{
        AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
    },
};

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::{CLUSTER, Operation, Resource},
    context::Context,
    coordinators::Kind,
    state::State,
    transactions::{Identity, fenced},
};

impl Api for AddPartitionsToTxnRequest {
    const SERVED: RangeInclusive<i16> = 0..=5;

    async fn handle(self, ctx: &Context, version: i16) -> AddPartitionsToTxnResponse {
        ctx.coordinate(|state, now| {
            if version < 4 {
                let results = add(&self.alone(), ctx, state, now, version);
                return AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results);
            }
            // From version 4 on brokers ask this of each other, for many transactions.
            if !state.may(&ctx.client, Operation::ClusterAction, Resource::Cluster, CLUSTER) {
                return self.refuse(ctx, ErrorCode::ClusterAuthorizationFailed, version);
            }
            let results = self.transactions.iter().map(|transaction| {
                AddPartitionsToTxnResult::default()
                    .with_transactional_id(transaction.transactional_id.clone())
                    .with_topic_results(add(transaction, ctx, state, now, version))
            });
            let results = results.collect();
            AddPartitionsToTxnResponse::default().with_results_by_transaction(results)
        })
    }

    fn refuse(&self, _: &Context, code: ErrorCode, version: i16) -> AddPartitionsToTxnResponse {
        if version >= 4 {
            return AddPartitionsToTxnResponse::default().with_error_code(code.code());
        }
        let results = each(&self.v3_and_below_topics, |_, _| Some(code));
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results)
    }

    fn throttle(answer: &mut AddPartitionsToTxnResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

trait Alone {
    fn alone(&self) -> AddPartitionsToTxnTransaction;
}

impl Alone for AddPartitionsToTxnRequest {
    /// What a client asks for, up to version 3.
    fn alone(&self) -> AddPartitionsToTxnTransaction {
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(self.v3_and_below_transactional_id.clone())
            .with_producer_id(self.v3_and_below_producer_id)
            .with_producer_epoch(self.v3_and_below_producer_epoch)
            .with_topics(self.v3_and_below_topics.clone())
    }
}

fn add(
    asked: &AddPartitionsToTxnTransaction,
    ctx: &Context,
    state: &mut State,
    now: Duration,
    version: i16,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let id = &asked.transactional_id;
    if !state.may(&ctx.client, Operation::Write, Resource::TransactionalId, id) {
        return each(&asked.topics, |_, _| {
            Some(ErrorCode::TransactionalIdAuthorizationFailed)
        });
    }
    if let Err(code) = state.check_coordinator(ctx.broker, Kind::Transaction, id) {
        return each(&asked.topics, |_, _| Some(code));
    }
    let refused = |topic: &str, partition| {
        if let Some(code) = ctx.refused(topic, partition) {
            return Some(code);
        }
        if !state.may(&ctx.client, Operation::Write, Resource::Topic, topic) {
            return Some(ErrorCode::TopicAuthorizationFailed);
        }
        let known = state.topics.partition(topic, partition).is_some();
        (!known).then_some(ErrorCode::UnknownTopicOrPartition)
    };
    let topics = asked.topics.iter();
    let all = topics.flat_map(|topic| topic.partitions.iter().map(|partition| (&topic.name, *partition)));
    let all: Vec<_> = all
        .map(|(topic, partition)| (topic.to_string(), partition))
        .collect();
    if all
        .iter()
        .any(|(topic, partition)| refused(topic, *partition).is_some())
    {
        // All or nothing.
        let other = Some(ErrorCode::OperationNotAttempted);
        return each(&asked.topics, |topic, partition| {
            refused(topic, partition).or(other)
        });
    }
    let identity = Identity {
        producer_id: asked.producer_id.0,
        epoch: asked.producer_epoch,
    };
    let transactions = &mut state.coordinators.transactions;
    if asked.verify_only {
        return each(&asked.topics, |topic, partition| {
            transactions
                .verify(id, identity, &(topic.to_owned(), partition))
                .err()
        });
    }
    let result = transactions.add_partitions(now, id, identity, all);
    let code = result.err().map(|code| fenced(code, version >= 2));
    each(&asked.topics, |_, _| code)
}

fn each(
    topics: &[AddPartitionsToTxnTopic],
    mut code: impl FnMut(&str, i32) -> Option<ErrorCode>,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topic = |topic: &AddPartitionsToTxnTopic| {
        let partition = |partition: &i32| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(number(code(&topic.name, *partition)))
        };
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(topic.partitions.iter().map(partition).collect())
    };
    topics.iter().map(topic).collect()
}
