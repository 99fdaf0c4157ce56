use std::{collections::BTreeMap, ops::RangeInclusive};

use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId, TopicName, TransactionalId,
    describe_transactions_response::{TopicData, TransactionState},
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::{Kind, text},
    state::State,
    transactions::Transaction,
};

impl Api for DescribeTransactionsRequest {
    const SERVED: RangeInclusive<i16> = 0..=0;

    async fn handle(self, ctx: &Context, _: i16) -> DescribeTransactionsResponse {
        let state = ctx.state();
        let states = self
            .transactional_ids
            .iter()
            .map(|id| match find(ctx, &state, id) {
                Ok(transaction) => describe(ctx, &state, id, transaction),
                Err(code) => refused(id, code),
            });
        DescribeTransactionsResponse::default().with_transaction_states(states.collect())
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeTransactionsResponse {
        let states = self
            .transactional_ids
            .iter()
            .map(|id| refused(id, code))
            .collect();
        DescribeTransactionsResponse::default().with_transaction_states(states)
    }

    fn throttle(answer: &mut DescribeTransactionsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn find<'a>(ctx: &Context, state: &'a State, id: &str) -> Result<&'a Transaction, ErrorCode> {
    if !state.may(&ctx.client, Operation::Describe, Resource::TransactionalId, id) {
        return Err(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    state.check_coordinator(ctx.broker, Kind::Transaction, id)?;
    state
        .coordinators
        .transactions
        .get(id)
        .ok_or(ErrorCode::TransactionalIdNotFound)
}

fn describe(ctx: &Context, state: &State, id: &TransactionalId, found: &Transaction) -> TransactionState {
    let mut topics = BTreeMap::<&str, Vec<i32>>::new();
    for (topic, partition) in &found.partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let topic = |(topic, partitions)| {
        TopicData::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(partitions)
    };
    // -1 when none is under way.
    let started = found.state.since().map_or(-1, |since| {
        let age = state.coordinators.now().saturating_sub(since);
        ctx.now_ms() - i64::try_from(age.as_millis()).unwrap_or(0)
    });
    TransactionState::default()
        .with_transactional_id(id.clone())
        .with_transaction_state(text(found.state.name()))
        .with_transaction_timeout_ms(i32::try_from(found.timeout.as_millis()).unwrap_or(i32::MAX))
        .with_transaction_start_time_ms(started)
        .with_producer_id(ProducerId(found.identity.producer_id))
        .with_producer_epoch(found.identity.epoch)
        .with_topics(topics.into_iter().map(topic).collect())
}

fn refused(id: &TransactionalId, code: ErrorCode) -> TransactionState {
    TransactionState::default()
        .with_transactional_id(id.clone())
        .with_error_code(code.code())
}
