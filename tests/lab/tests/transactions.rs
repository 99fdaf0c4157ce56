//! Transactions by the data plane's own client, and what leaders tell of producers, on a real broker.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::{sync::OnceLock, time::Duration};

use anyhow::{Result, ensure};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use towpath_domain::{Offset, TopicId, TopicPartition};
use towpath_lab::broker::{Broker, BrokerOptions};
use towpath_wire::{
    Client, Error, Isolation, KafkaError, OffsetSpec, Options, ProducePartition, ProduceRequest, ProducerId,
    ProducerState,
    batch::{Compression, Encoder, Headers, ProducerIdentity, Record, SourceSpan, Transactional},
};

const MINUTE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(30);

fn broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start(BrokerOptions::named("target")).expect("the broker starts"))
}

/// A client, and partition 0 of a new topic.
async fn partition(topic: &str) -> Result<(Client, TopicPartition)> {
    broker().admin()?.create_topic(topic, 1, &[])?;
    let client = Client::connect(Options {
        bootstrap_servers: vec![broker().bootstrap().to_owned()],
        ..Options::default()
    });
    Ok((client.await?, TopicPartition::new(topic, 0)))
}

async fn offset(
    client: &Client,
    partition: &TopicPartition,
    at: OffsetSpec,
    isolation: Isolation,
) -> Result<i64> {
    let listed = client
        .list_offsets(std::slice::from_ref(partition), at, isolation)
        .await?;
    Ok(listed[partition]?.offset.0)
}

async fn end(client: &Client, partition: &TopicPartition) -> Result<i64> {
    offset(client, partition, OffsetSpec::Latest, Isolation::ReadUncommitted).await
}

/// Waits until everything before the end is decided, and gives the end: markers are written after the coordinator's answer.
async fn decided_end(client: &Client, partition: &TopicPartition) -> Result<i64> {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let stable = offset(client, partition, OffsetSpec::Latest, Isolation::ReadCommitted).await?;
        let open = producer(client, partition)
            .await?
            .is_some_and(|state| state.current_txn_start_offset.is_some());
        if stable == end(client, partition).await? && !open {
            return Ok(stable);
        }
        ensure!(
            tokio::time::Instant::now() < deadline,
            "the transaction stays open"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Writes one record for each value, and gives the offset of the first.
async fn write(
    client: &Client,
    partition: &TopicPartition,
    owner: ProducerId,
    sequence: i32,
    values: &[&str],
) -> Result<Result<i64, KafkaError>> {
    let mut encoder = Encoder::new(Compression::None);
    for value in values {
        encoder.push(&Record {
            offset: Offset(0),
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(value.as_bytes()),
            headers: Headers::EMPTY,
        })?;
    }
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(values.len() as i64),
    };
    let mut batch = encoder.finish(span)?;
    let identity = ProducerIdentity {
        id: owner.id,
        epoch: owner.epoch,
        transactional: Transactional::No,
    };
    batch.sign(identity, sequence);
    let leader = client.leader(partition).expect("offsets were listed of it");
    let connection = client.open(leader.node, "test").await?;
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: SOON,
        partitions: vec![ProducePartition {
            topic_id: client.topic_id(&partition.topic).unwrap_or(TopicId::ZERO),
            partition: partition.clone(),
            batch,
        }],
    };
    let answer = connection.produce(request).await?.await?;
    Ok(answer.partitions[0].1.map(|appended| appended.base_offset.0))
}

/// The one that has written to the partition.
async fn producer(client: &Client, partition: &TopicPartition) -> Result<Option<ProducerState>> {
    let mut answer = client.describe_producers(std::slice::from_ref(partition)).await;
    let producers = answer.remove(partition).expect("it was asked for")?;
    ensure!(producers.len() < 2, "{producers:?}");
    Ok(producers.first().copied())
}

fn is_fenced(result: Result<(), Error>) -> Result<()> {
    let error = result.expect_err("the owner is another one").kafka();
    ensure!(
        matches!(
            error,
            Some(KafkaError::PRODUCER_FENCED | KafkaError::INVALID_PRODUCER_EPOCH)
        ),
        "{error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_transaction_without_records_is_one_marker() -> Result<()> {
    let (client, partition) = partition("txn.empty").await?;
    let owner = client.init_transactional("empty", MINUTE).await?;
    let mut expected = 0;
    for commit in [true, false, true] {
        ensure!(decided_end(&client, &partition).await? == expected);
        let partitions = std::slice::from_ref(&partition);
        client.add_partitions("empty", owner, partitions).await?;
        client.end_transaction("empty", owner, commit).await?;
        // As after an answer that was lost.
        client.end_transaction("empty", owner, commit).await?;
        expected += 1;
        while decided_end(&client, &partition).await? < expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    ensure!(decided_end(&client, &partition).await? == expected);
    let other = client.end_transaction("empty", owner, false).await.unwrap_err();
    ensure!(other.kafka() == Some(KafkaError::INVALID_TXN_STATE), "{other}");
    Ok(())
}

#[tokio::test]
async fn leaders_tell_the_last_sequence_also_behind_markers() -> Result<()> {
    let (client, partition) = partition("txn.records").await?;
    ensure!(end(&client, &partition).await? == 0);
    let owner = client.init_transactional("records", MINUTE).await?;
    ensure!(
        producer(&client, &partition).await?.is_none(),
        "nothing was written"
    );
    let mut sequence = 0;
    for commit in [true, false, true] {
        let before = decided_end(&client, &partition).await?;
        let written = write(&client, &partition, owner, sequence, &["a", "b", "c"]).await?;
        ensure!(written == Ok(before), "{written:?}");
        sequence += 3;
        let partitions = std::slice::from_ref(&partition);
        client.add_partitions("records", owner, partitions).await?;
        client.end_transaction("records", owner, commit).await?;
        let expected = before + 4;
        while decided_end(&client, &partition).await? < expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(decided_end(&client, &partition).await? == expected);
        let state = producer(&client, &partition).await?.unwrap();
        ensure!(state.producer == owner && state.last_sequence == sequence - 1);
        ensure!(state.current_txn_start_offset.is_none() && state.coordinator_epoch >= 0);
    }
    Ok(())
}

#[tokio::test]
async fn whoever_takes_the_id_over_aborts_what_was_open_and_fences_its_owner() -> Result<()> {
    let (client, partition) = partition("txn.fenced").await?;
    ensure!(end(&client, &partition).await? == 0);
    // Another client's transaction, with a record.
    let other: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker().bootstrap())
        .set("transactional.id", "fenced")
        .create()?;
    other.init_transactions(SOON)?;
    other.begin_transaction()?;
    let record: BaseRecord<'_, (), str> = BaseRecord::to("txn.fenced").payload("void");
    other.send(record).map_err(|(error, _)| error)?;
    other.flush(SOON)?;
    let open = producer(&client, &partition).await?.unwrap();
    ensure!(open.last_sequence == 0 && open.current_txn_start_offset == Some(Offset(0)));

    let first = client.init_transactional("fenced", MINUTE).await?;
    ensure!(first.id == open.producer.id && first.epoch > open.producer.epoch);
    ensure!(
        decided_end(&client, &partition).await? == 2,
        "a record and a marker"
    );
    ensure!(other.commit_transaction(SOON).is_err());

    let partitions = std::slice::from_ref(&partition);
    client.add_partitions("fenced", first, partitions).await?;
    let second = client.init_transactional("fenced", MINUTE).await?;
    ensure!(second.id == first.id && second.epoch > first.epoch);
    ensure!(decided_end(&client, &partition).await? == 3, "another marker");
    is_fenced(client.add_partitions("fenced", first, partitions).await)?;
    is_fenced(client.end_transaction("fenced", first, true).await)?;
    // The marker has raised the epoch in the partition, too.
    let late = write(&client, &partition, first, 0, &["late"]).await?;
    ensure!(late == Err(KafkaError::INVALID_PRODUCER_EPOCH), "{late:?}");
    let written = write(&client, &partition, second, 0, &["new"]).await?;
    ensure!(written == Ok(3), "{written:?}");
    Ok(())
}

#[tokio::test]
async fn a_log_begins_where_records_were_deleted_up_to() -> Result<()> {
    let (client, partition) = partition("txn.deleted").await?;
    ensure!(end(&client, &partition).await? == 0);
    let owner = client.init_producer_id().await?;
    write(&client, &partition, owner, 0, &["a", "b", "c", "d"]).await??;
    let delete = async |before| {
        let mut results = client
            .delete_records(&[(partition.clone(), Offset(before))])
            .await;
        results.remove(&partition).expect("it was asked for")
    };
    let start = async || {
        offset(
            &client,
            &partition,
            OffsetSpec::Earliest,
            Isolation::ReadUncommitted,
        )
        .await
    };
    ensure!(delete(2).await? == Offset(2) && start().await? == 2);
    ensure!(delete(1).await? == Offset(2), "it does not move back");
    ensure!(delete(-1).await? == Offset(4) && start().await? == 4);
    let error = delete(9).await.unwrap_err();
    ensure!(error.kafka() == Some(KafkaError::OFFSET_OUT_OF_RANGE), "{error}");
    Ok(())
}
