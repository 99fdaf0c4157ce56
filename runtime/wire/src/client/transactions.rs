//! Transactions, at the coordinator of their transactional id (KIP-98): who owns the id, what is written to, how it ends.
//!
//! Requests have the versions from before the second part of KIP-890: the epoch stays the same from one transaction to the next, whatever
//! `transaction.version` the cluster has, so that what was signed stays valid. Produce requests name no transactional id here
//! ([`Connection::produce`]): what can be written with the identity between transactions is not part of any, and a
//! transaction that is added to and ended is its markers alone.

use std::time::Duration;

use kafka_protocol::{
    messages::{
        AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest, InitProducerIdRequest,
        TransactionalId, add_partitions_to_txn_request::AddPartitionsToTxnTopic,
    },
    protocol::StrBytes,
};
use towpath_domain::TopicPartition;

use super::{Client, ProducerId, coordinators::Coordinated, leaders::by_topic};
use crate::{Connection, Error, KafkaError, api::Call, fetch::topic_name, produce::millis};

// === impl Client ===

impl Client {
    /// Takes a transactional id over: the transaction that an earlier owner left open is aborted, and nothing of that owner is accepted from
    /// then on. Waits until this is done (CONCURRENT_TRANSACTIONS), for at most `request_timeout`. Whoever calls it again, or had a first answer
    /// that was lost, gets the next epoch.
    ///
    /// A transaction that is not ended within `timeout` is aborted by the coordinator, and its owner fenced: 1 ms to the brokers'
    /// `transaction.max.timeout.ms` (15 min unless set), or it is refused with INVALID_TRANSACTION_TIMEOUT. Needs Write on the transactional id.
    pub async fn init_transactional(
        &self,
        transactional_id: &str,
        timeout: Duration,
    ) -> Result<ProducerId, Error> {
        let nobody = ProducerId { id: -1, epoch: -1 };
        self.next_epoch(transactional_id, nobody, timeout).await
    }

    /// The next epoch of an id that is still this producer's (KIP-360): requests of the epoch before that come late have no effect from then on. No transaction
    /// may be open. PRODUCER_FENCED when somebody else has taken the id over. Needs Kafka 2.5.
    pub async fn renew_transactional(
        &self,
        transactional_id: &str,
        producer: ProducerId,
        timeout: Duration,
    ) -> Result<ProducerId, Error> {
        self.next_epoch(transactional_id, producer, timeout).await
    }

    async fn next_epoch(
        &self,
        transactional_id: &str,
        expected: ProducerId,
        timeout: Duration,
    ) -> Result<ProducerId, Error> {
        let of = Coordinated::Transaction(transactional_id.to_owned());
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(id(transactional_id)))
            .with_transaction_timeout_ms(millis(timeout))
            .with_producer_id(expected.id.into())
            .with_producer_epoch(expected.epoch);
        self.at_coordinator(
            &of,
            |_| request.clone(),
            |connection, answer| {
                accepted::<InitProducerIdRequest>(connection, &of, answer.error_code)?;
                Ok(ProducerId {
                    id: answer.producer_id.0,
                    epoch: answer.producer_epoch,
                })
            },
        )
        .await
    }

    /// Says that the transaction will write to these partitions; the first call after the last end begins it. To be done before the first batch is
    /// produced. All are added or none.
    ///
    /// PRODUCER_FENCED (before Kafka 2.7 INVALID_PRODUCER_EPOCH) when somebody else has taken the id over, or the transaction had taken too long:
    /// not tried again. Needs Write on the transactional id and on the topics.
    pub async fn add_partitions(
        &self,
        transactional_id: &str,
        producer: ProducerId,
        partitions: &[TopicPartition],
    ) -> Result<(), Error> {
        let of = Coordinated::Transaction(transactional_id.to_owned());
        let topics = by_topic(partitions.iter().map(|partition| (partition.clone(), ())));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            AddPartitionsToTxnTopic::default()
                .with_name(topic_name(&topic))
                .with_partitions(partitions.iter().map(|(partition, ())| partition.0).collect())
        });
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id(transactional_id))
            .with_v3_and_below_producer_id(producer.id.into())
            .with_v3_and_below_producer_epoch(producer.epoch)
            .with_v3_and_below_topics(topics.collect());
        self.at_coordinator(
            &of,
            |_| request.clone(),
            |connection, answer| added(connection, &of, &answer),
        )
        .await
    }

    /// Ends the transaction: what it wrote becomes visible, or is void. A marker follows in each partition that was added, in a moment; the next
    /// transaction waits for them by itself. To end it the same way again, as after an answer that was lost, is no error.
    ///
    /// INVALID_TXN_STATE when there is nothing to end, or when it had ended the other way. PRODUCER_FENCED as in [`Client::add_partitions`]. Needs Write
    /// on the transactional id.
    pub async fn end_transaction(
        &self,
        transactional_id: &str,
        producer: ProducerId,
        commit: bool,
    ) -> Result<(), Error> {
        let of = Coordinated::Transaction(transactional_id.to_owned());
        let request = EndTxnRequest::default()
            .with_transactional_id(id(transactional_id))
            .with_producer_id(producer.id.into())
            .with_producer_epoch(producer.epoch)
            .with_committed(commit);
        self.at_coordinator(
            &of,
            |_| request.clone(),
            |connection, answer| accepted::<EndTxnRequest>(connection, &of, answer.error_code),
        )
        .await
    }
}

fn id(transactional_id: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(transactional_id.to_owned()))
}

fn accepted<Q: Call>(connection: &Connection, of: &Coordinated, code: i16) -> Result<(), Error> {
    match KafkaError::of(code) {
        None => Ok(()),
        Some(error) => Err(connection.refusal(Q::API, Some(of.to_string()), error, None)),
    }
}

/// When one partition is refused, the others are not attempted: the error is of the one, and rather of one that waiting does not mend.
fn added(
    connection: &Connection,
    of: &Coordinated,
    answer: &AddPartitionsToTxnResponse,
) -> Result<(), Error> {
    let results = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| {
        let partitions = topic.results_by_partition.iter();
        partitions.map(|result| {
            let partition = TopicPartition::new(topic.name.as_str(), result.partition_index);
            (partition, KafkaError::of(result.partition_error_code))
        })
    });
    let refused = results.filter_map(|(partition, error)| Some((partition, error?)));
    let cause = |error: KafkaError| {
        (
            error != KafkaError::OPERATION_NOT_ATTEMPTED,
            !error.is_retriable(),
        )
    };
    match refused.max_by_key(|(_, error)| cause(*error)) {
        None => Ok(()),
        Some((partition, error)) => {
            let on = format!("{partition} for {of}");
            Err(connection.refusal(AddPartitionsToTxnRequest::API, Some(on), error, None))
        }
    }
}

#[cfg(test)]
mod tests;
