use std::ops::RangeInclusive;

use kafka_protocol::messages::{
    ListTransactionsRequest, ListTransactionsResponse, ProducerId, TransactionalId,
    list_transactions_response::TransactionState,
};
use regex::Regex;

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::{Kind, text},
};

/// Every state that a filter may name.
const STATES: &[&str] = &[
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

impl Api for ListTransactionsRequest {
    const SERVED: RangeInclusive<i16> = 0..=2;

    async fn handle(self, ctx: &Context, version: i16) -> ListTransactionsResponse {
        let pattern = self
            .transactional_id_pattern
            .as_deref()
            .filter(|text| !text.is_empty());
        let pattern = match pattern
            .map(|text| Regex::new(&format!("^(?:{text})$")))
            .transpose()
        {
            Ok(pattern) => pattern,
            Err(_) => return self.refuse(ctx, ErrorCode::InvalidRegularExpression, version),
        };
        let (known, unknown): (Vec<_>, Vec<_>) = self
            .state_filters
            .iter()
            .cloned()
            .partition(|name| STATES.contains(&name.as_str()));
        let answer = ListTransactionsResponse::default().with_unknown_state_filters(unknown);
        if known.is_empty() && !self.state_filters.is_empty() {
            return answer;
        }
        let state = ctx.state();
        let now = state.coordinators.now();
        let mut found = Vec::new();
        for (id, transaction) in state.coordinators.transactions.iter() {
            let producer_id = ProducerId(transaction.identity.producer_id);
            let age = transaction
                .state
                .since()
                .map(|since| now.saturating_sub(since).as_millis());
            let asked = u128::try_from(self.duration_filter).ok();
            // Each broker lists the transactions that it coordinates.
            let listed = state.coordinator(Kind::Transaction, id) == Some(ctx.broker)
                && (known.is_empty() || known.iter().any(|name| name.as_str() == transaction.state.name()))
                && (self.producer_id_filters.is_empty() || self.producer_id_filters.contains(&producer_id))
                && asked.is_none_or(|asked| age.is_some_and(|age| age > asked))
                && pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
                && state.may(&ctx.client, Operation::Describe, Resource::TransactionalId, id);
            if listed {
                let transaction = TransactionState::default()
                    .with_transactional_id(TransactionalId(text(id)))
                    .with_producer_id(producer_id)
                    .with_transaction_state(text(transaction.state.name()));
                found.push(transaction);
            }
        }
        answer.with_transaction_states(found)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> ListTransactionsResponse {
        ListTransactionsResponse::default().with_error_code(code.code())
    }

    fn throttle(answer: &mut ListTransactionsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}
