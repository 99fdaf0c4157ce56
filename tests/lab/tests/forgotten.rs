//! What brokers take of a producer that they have forgotten, by the time of its records: batches alone, and batches in transactions. On three releases.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use towpath_domain::{Offset, TopicId, TopicPartition};
use towpath_lab::{
    broker::{Broker, BrokerOptions},
    kafka::Release,
};
use towpath_wire::{
    Client, Isolation, KafkaError, OffsetSpec, Options, ProducePartition, ProduceRequest, ProducerId,
    ProducerState,
    batch::{Compression, Encoder, Headers, ProducerIdentity, Record, SourceSpan, Transactional},
};

const SOON: Duration = Duration::from_secs(60);
/// How long brokers remember a producer here.
const EXPIRATION: Duration = Duration::from_secs(2);
/// Of every record: years before that.
const OLD: i64 = 1_500_000_000_000;

/// How a broker comes to look for producers to be forgotten.
#[derive(Clone, Copy, PartialEq)]
enum Forgets {
    /// every 100 ms
    Soon,
    /// not for 10 minutes, but when it starts
    AtStart,
}

/// Whether a broker asks the coordinator about a transactional batch that begins a transaction in a partition (KIP-890, since Kafka 3.6).
#[derive(Clone, Copy, PartialEq)]
enum Verifies {
    Yes,
    No,
}

struct Lab {
    broker: Broker,
    client: Client,
    forgets: Forgets,
}

async fn connect(broker: &Broker) -> Result<Client> {
    Ok(Client::connect(Options {
        bootstrap_servers: vec![broker.bootstrap().to_owned()],
        ..Options::default()
    })
    .await?)
}

// === impl Lab ===

impl Lab {
    async fn start(release: Release, forgets: Forgets) -> Result<Self> {
        let expiration = EXPIRATION.as_millis().to_string();
        let options = BrokerOptions::named("target").release(release);
        let options = match forgets {
            Forgets::Soon => options
                .property("producer.id.expiration.ms", &expiration)
                .property("producer.id.expiration.check.interval.ms", "100"),
            // Before KIP-854 there was one config for producers and for transactional ids.
            Forgets::AtStart => options.property("transactional.id.expiration.ms", &expiration),
        };
        let broker = Broker::start(options)?;
        Ok(Self {
            client: connect(&broker).await?,
            broker,
            forgets,
        })
    }

    async fn topic(&self, name: &str) -> Result<TopicPartition> {
        self.broker
            .admin()?
            .create_topic(name, 1, &[("retention.ms", "-1")])?;
        let partition = TopicPartition::new(name, 0);
        ensure!(self.end(&partition, Isolation::ReadUncommitted).await? == 0);
        Ok(partition)
    }

    /// Where the log ends, or is decided up to.
    async fn end(&self, partition: &TopicPartition, isolation: Isolation) -> Result<i64> {
        let one = std::slice::from_ref(partition);
        let listed = self
            .client
            .list_offsets(one, OffsetSpec::Latest, isolation)
            .await?;
        Ok(listed[partition]?.offset.0)
    }

    /// One record; with the name of a transactional id as part of its transaction.
    async fn write(
        &self,
        partition: &TopicPartition,
        id: Option<&str>,
        owner: ProducerId,
        sequence: i32,
    ) -> Result<Result<i64, KafkaError>> {
        let mut encoder = Encoder::new(Compression::None);
        encoder.push(&Record {
            offset: Offset(0),
            timestamp: OLD,
            key: None,
            value: Some(b"old"),
            headers: Headers::EMPTY,
        })?;
        let mut batch = encoder.finish(SourceSpan {
            first: Offset(0),
            next: Offset(1),
        })?;
        let identity = ProducerIdentity {
            id: owner.id,
            epoch: owner.epoch,
            transactional: match id {
                Some(_) => Transactional::Yes,
                None => Transactional::No,
            },
        };
        batch.sign(identity, sequence);
        let leader = self.client.leader(partition).expect("offsets were listed of it");
        let connection = self.client.open(leader.node, "test").await?;
        let request = ProduceRequest {
            transactional_id: id.map(str::to_owned),
            acks: -1,
            timeout: SOON,
            partitions: vec![ProducePartition {
                topic_id: TopicId::ZERO,
                partition: partition.clone(),
                batch,
            }],
        };
        let answer = connection.produce(request).await?.await?;
        Ok(answer.partitions[0].1.map(|appended| appended.base_offset.0))
    }

    /// What the leader knows of the producer.
    async fn known(&self, partition: &TopicPartition, owner: ProducerId) -> Result<Option<ProducerState>> {
        let one = std::slice::from_ref(partition);
        let mut answer = self.client.describe_producers(one).await;
        let producers = answer.remove(partition).expect("it was asked for")?;
        Ok(producers.into_iter().find(|state| state.producer.id == owner.id))
    }

    /// The broker looks for what is to be forgotten, when the last batch or marker is old enough, however young it is.
    async fn looks(&mut self, partition: &TopicPartition) -> Result<()> {
        tokio::time::sleep(EXPIRATION * 2).await;
        if self.forgets == Forgets::AtStart {
            self.broker.restart()?;
            self.client = connect(&self.broker).await?;
            self.end(partition, Isolation::ReadUncommitted).await?;
        }
        Ok(())
    }

    async fn is_forgotten(&mut self, partition: &TopicPartition, owner: ProducerId) -> Result<()> {
        self.looks(partition).await?;
        let deadline = tokio::time::Instant::now() + SOON;
        while let Some(state) = self.known(partition, owner).await? {
            ensure!(tokio::time::Instant::now() < deadline, "it is known: {state:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// A transaction without records, that is decided when this returns.
    async fn marker(&self, id: &str, owner: ProducerId, partition: &TopicPartition) -> Result<()> {
        let one = std::slice::from_ref(partition);
        self.client.add_partitions(id, owner, one).await?;
        self.end_twice(id, owner, false).await
    }

    /// When it is answered again, the markers are written.
    async fn end_twice(&self, id: &str, owner: ProducerId, commit: bool) -> Result<()> {
        for _ in 0..2 {
            self.client.end_transaction(id, owner, commit).await?;
        }
        Ok(())
    }
}

/// Sequences, and epochs that were taken away, are no proof then: what comes late is there twice.
async fn a_late_batch_is_taken_again(lab: &mut Lab) -> Result<()> {
    let partition = lab.topic("alone").await?;
    let owner = lab.client.init_transactional("alone", SOON).await?;
    ensure!(lab.write(&partition, None, owner, 0).await? == Ok(0));
    lab.is_forgotten(&partition, owner).await?;
    let again = lab.write(&partition, None, owner, 0).await?;
    ensure!(again == Ok(1), "{again:?}");
    let next = lab.client.init_transactional("alone", SOON).await?;
    // A marker shuts the former epoch out, by its own time and not that of records.
    lab.marker("alone", next, &partition).await?;
    let late = lab.write(&partition, None, owner, 1).await?;
    ensure!(late == Err(KafkaError::INVALID_PRODUCER_EPOCH), "{late:?}");
    // But the next records of the new owner make it forgotten again, and the door is open.
    ensure!(lab.write(&partition, None, next, 0).await? == Ok(3));
    lab.is_forgotten(&partition, next).await?;
    let late = lab.write(&partition, None, owner, 1).await?;
    ensure!(late == Ok(4), "{late:?}");
    Ok(())
}

/// As long as a transaction has records in a partition its producer is not forgotten there; the marker then has the time of its writing.
async fn a_transaction_is_remembered(lab: &mut Lab) -> Result<ProducerId> {
    let partition = lab.topic("together").await?;
    let id = "together";
    let owner = lab.client.init_transactional(id, SOON).await?;
    lab.client
        .add_partitions(id, owner, std::slice::from_ref(&partition))
        .await?;
    ensure!(lab.write(&partition, Some(id), owner, 0).await? == Ok(0));
    lab.looks(&partition).await?;
    let Some(state) = lab.known(&partition, owner).await? else {
        bail!("a producer is forgotten amid a transaction")
    };
    ensure!(state.last_sequence == 0 && state.current_txn_start_offset == Some(Offset(0)));
    ensure!(state.last_timestamp == OLD, "{state:?}");
    let again = lab.write(&partition, Some(id), owner, 0).await?;
    ensure!(again == Ok(0), "it is known as repeated: {again:?}");
    let skipped = lab.write(&partition, Some(id), owner, 5).await?;
    ensure!(
        skipped == Err(KafkaError::OUT_OF_ORDER_SEQUENCE_NUMBER),
        "{skipped:?}"
    );
    ensure!(lab.write(&partition, Some(id), owner, 1).await? == Ok(1));
    lab.end_twice(id, owner, true).await?;
    let state = lab
        .known(&partition, owner)
        .await?
        .expect("a marker was just written");
    ensure!(
        state.last_timestamp > OLD && state.last_sequence == 1,
        "{state:?}"
    );
    ensure!(lab.end(&partition, Isolation::ReadCommitted).await? == 3);
    lab.is_forgotten(&partition, owner).await?;
    Ok(owner)
}

/// Who had the id before cannot get anything into the partition, though its broker has forgotten both; where brokers do not ask the coordinator it can, and nobody has
/// decided about it: until the next marker of the id, which has to be an abort.
async fn who_was_shut_out_stays_out(lab: &mut Lab, owner: ProducerId, verifies: Verifies) -> Result<()> {
    let (partition, id) = (TopicPartition::new("together", 0), "together");
    let next = lab.client.init_transactional(id, SOON).await?;
    ensure!(next.id == owner.id && next.epoch > owner.epoch);
    let late = lab.write(&partition, Some(id), owner, 2).await?;
    if verifies == Verifies::Yes {
        ensure!(late == Err(KafkaError::INVALID_PRODUCER_EPOCH), "{late:?}");
        // Nor the owner itself, when its transaction has not been told of the partition, or has ended.
        let outside = lab.write(&partition, Some(id), next, 0).await?;
        ensure!(outside == Err(KafkaError::INVALID_TXN_STATE), "{outside:?}");
        ensure!(lab.end(&partition, Isolation::ReadUncommitted).await? == 3);
        lab.marker(id, next, &partition).await?;
    } else {
        ensure!(late == Ok(3), "{late:?}");
        ensure!(lab.end(&partition, Isolation::ReadCommitted).await? == 3);
        lab.marker(id, next, &partition).await?;
        ensure!(lab.end(&partition, Isolation::ReadCommitted).await? == 5);
    }
    let late = lab.write(&partition, Some(id), owner, 3).await?;
    ensure!(late == Err(KafkaError::INVALID_PRODUCER_EPOCH), "{late:?}");
    Ok(())
}

async fn facts(release: Release, forgets: Forgets, verifies: Verifies) -> Result<()> {
    let mut lab = Lab::start(release, forgets).await?;
    a_late_batch_is_taken_again(&mut lab).await?;
    let owner = a_transaction_is_remembered(&mut lab).await?;
    who_was_shut_out_stays_out(&mut lab, owner, verifies).await
}

#[tokio::test]
async fn the_current_release() -> Result<()> {
    facts(Release::Current, Forgets::Soon, Verifies::Yes).await
}

#[tokio::test]
async fn the_last_release_before_4() -> Result<()> {
    facts(Release::Bridge, Forgets::Soon, Verifies::Yes).await
}

#[tokio::test]
async fn the_oldest_release() -> Result<()> {
    facts(Release::Oldest, Forgets::AtStart, Verifies::No).await
}
