//! Whether the target's brokers do what exact delivery rests on, tried on a topic of our own.
//!
//! | what is tried | what it is for |
//! |---|---|
//! | a producer without state begins at any sequence | a broker forgets producers by the time of their records; sequences follow from offsets |
//! | the same batch again is not appended, and answered with its first offset | an answer that was lost |
//! | a batch that overlaps, or leaves some out, is refused | compare-and-append: two owners of a partition at once |
//! | DeleteRecords moves the start of the log | `offsets.mode=preserve`: filler is deleted, retention is followed |
//! | another epoch begins at sequence 0, and an empty transaction adds one offset, and shuts out the epochs before | a late batch of an owner whose view of the source may have been another one |

use std::time::Duration;

use crate::config::Offsets;
use towpath_domain::{Offset, TopicId, TopicName, TopicPartition};
use towpath_wire::{
    Client, Connection, Error, Isolation, KafkaError, NewTopic, OffsetSpec, ProducePartition, ProduceRequest,
    ProducerId, Retry, Topics,
    batch::{Compression, Encoder, Headers, Outgoing, ProducerIdentity, Record, SourceSpan, Transactional},
};

/// A probe that goes on.
struct Probe<'a> {
    client: &'a Client,
    connection: Connection,
    place: TopicPartition,
    topic_id: TopicId,
    id: String,
    /// a producer that was never used
    unknown: ProducerId,
}

/// What a target is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// compare-and-append, and all that goes with it
    Sequences,
    /// the same, but offsets cannot be preserved: what is missing
    Translated(String),
    /// transactions alone: what is missing
    Transactions(String),
    /// what is missing of both, or keeps it from being tried
    Neither(String),
}

/// The first sequence: not 0, as a later owner's is not.
const FIRST: i32 = 1000;
static PROBING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const TRIES: u32 = 5;
const PARTITIONS: i64 = 16;
/// Until a marker is in the log after the answer that it will be.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Probes the target. The error may pass.
pub(super) async fn probe(client: &Client, positions: &TopicName, offsets: Offsets) -> Result<Found, Error> {
    // Whoever else probes puts records between: within a worker one probes at a time, beside other workers it is tried again.
    let _alone = PROBING.lock().await;
    let mut outcome = Found::Sequences;
    for _ in 0..TRIES {
        let topic = TopicName::new(format!("{positions}-probe"));
        let tried = match begin(client, topic, positions).await {
            Ok(probe) => match (probe.run().await, offsets) {
                (tried, Offsets::Translate) => tried,
                (Ok(Found::Sequences), _) => match probe.delete().await {
                    Err(error) if !error.is_fenced() && !super::may_pass(&error) => {
                        Ok(Found::Translated(super::told(&error)))
                    }
                    tried => tried,
                },
                (tried, _) => tried,
            },
            Err(error) => Err(error),
        };
        outcome = match tried {
            // Nobody else's probe could be the reason.
            Ok(found @ (Found::Sequences | Found::Translated(_))) => return Ok(found),
            Ok(found) => found,
            // Somebody else probes with this id.
            Err(error) if error.is_fenced() => Found::Neither(error.to_string()),
            Err(error) if super::may_pass(&error) => return Err(error),
            Err(error) => {
                let what = format!(
                    "it cannot be tried whether the target allows exact delivery: {}",
                    super::told(&error)
                );
                return Ok(Found::Neither(what));
            }
        };
    }
    Ok(outcome)
}

async fn begin<'a>(client: &'a Client, topic: TopicName, positions: &TopicName) -> Result<Probe<'a>, Error> {
    let new = NewTopic {
        name: topic.clone(),
        partitions: PARTITIONS as i32,
        replication_factor: -1,
        configs: vec![("cleanup.policy".to_owned(), "delete".to_owned())],
    };
    // Of it the brokers have no state, whoever has probed before; and whoever probes at the same time has another one, and with it mostly another partition.
    let unknown = client.init_producer_id().await?;
    let place = TopicPartition::new(topic.clone(), (unknown.id % PARTITIONS) as i32);
    let found = client.metadata(Topics::Names(vec![topic.clone()])).await?;
    if found.iter().any(|found| found.error.is_some()) {
        for (_, result) in client.create_topics(&[new]).await? {
            match result {
                Err(error) if error.kafka() != Some(KafkaError::TOPIC_ALREADY_EXISTS) => return Err(error),
                _ => {}
            }
        }
    }
    // Waits until it has a leader.
    let one = std::slice::from_ref(&place);
    client
        .list_offsets(one, OffsetSpec::Latest, Isolation::ReadUncommitted)
        .await?;
    let leader = client.leader(&place).ok_or_else(|| Error::NoLeader {
        partition: place.clone(),
    })?;
    Ok(Probe {
        connection: client.open(leader.node, "probe").await?,
        topic_id: client.topic_id(&topic).unwrap_or(TopicId::ZERO),
        client,
        id: format!("{positions}.probe.{}", place.partition),
        place,
        unknown,
    })
}

// === impl Probe ===

impl Probe<'_> {
    async fn run(&self) -> Result<Found, Error> {
        let lacks = self.sequences().await?;
        Ok(match (self.transactions().await?, lacks) {
            (Err(what), _) => Found::Neither(what),
            (Ok(()), Err(what)) => Found::Transactions(what),
            (Ok(()), Ok(())) => Found::Sequences,
        })
    }

    async fn sequences(&self) -> Result<Result<(), String>, Error> {
        let start = self.end().await?;
        let place = |distance: i64| Ok(Offset(start.0 + distance));
        let refused = Err(KafkaError::OUT_OF_ORDER_SEQUENCE_NUMBER);
        let steps = [
            (
                "a producer without state begins at any sequence",
                FIRST,
                2,
                place(0),
            ),
            (
                "a batch that comes again has its first offset",
                FIRST,
                2,
                place(0),
            ),
            ("a batch that overlaps is refused", FIRST + 1, 2, refused),
            (
                "a batch that leaves records out is refused",
                FIRST + 5,
                1,
                refused,
            ),
            ("the next batch is taken", FIRST + 2, 1, place(2)),
        ];
        for (what, sequence, records, expected) in steps {
            let found = self.produce(self.unknown, sequence, records).await?;
            if found != expected {
                return Ok(differs(what, found, expected));
            }
        }
        Ok(Ok(()))
    }

    async fn transactions(&self) -> Result<Result<(), String>, Error> {
        let start = self.end().await?;
        let place = |distance: i64| Ok(Offset(start.0 + distance));
        let owner = self.init().await?;
        let found = self.produce(owner, 0, 1).await?;
        if found != place(0) {
            return Ok(differs("another epoch begins at sequence 0", found, place(0)));
        }
        self.empty_transaction(owner).await?;
        // Ends the transaction before it answers.
        let next = self.init().await?;
        self.empty_transaction(next).await?;
        let next = self.init().await?;
        let end = self.end_at_least(Offset(start.0 + 3)).await?;
        if Ok(end) != place(3) {
            let what = "two empty transactions are two offsets";
            return Ok(differs(what, Ok(end), place(3)));
        }
        let late = self.produce(owner, 1, 1).await?;
        let fenced = Err(KafkaError::INVALID_PRODUCER_EPOCH);
        if late != fenced {
            return Ok(differs("an epoch before a marker's is shut out", late, fenced));
        }
        let found = self.produce(next, 0, 1).await?;
        if found != place(3) {
            return Ok(differs(
                "behind a marker its epoch begins at sequence 0",
                found,
                place(3),
            ));
        }
        Ok(Ok(()))
    }

    /// The start of the log follows.
    async fn delete(&self) -> Result<Found, Error> {
        let end = self.end().await?;
        let mut deleted = self.client.delete_records(&[(self.place.clone(), end)]).await;
        let deleted = deleted.remove(&self.place).ok_or_else(|| Error::NoLeader {
            partition: self.place.clone(),
        })?;
        let found = match deleted {
            Ok(start) => Ok(start),
            Err(error) => match error.kafka() {
                Some(refused) if error.retry() == Retry::Never => Err(refused),
                _ => return Err(error),
            },
        };
        if found != Ok(end) {
            let differs = differs("DeleteRecords moves the log's start", found, Ok(end));
            return Ok(differs.map_or_else(Found::Translated, |()| Found::Sequences));
        }
        Ok(Found::Sequences)
    }

    async fn init(&self) -> Result<ProducerId, Error> {
        let timeout = self.client.options().request_timeout;
        self.client.init_transactional(&self.id, timeout).await
    }

    async fn empty_transaction(&self, producer: ProducerId) -> Result<(), Error> {
        let place = std::slice::from_ref(&self.place);
        self.client.add_partitions(&self.id, producer, place).await?;
        self.client.end_transaction(&self.id, producer, false).await
    }

    async fn end(&self) -> Result<Offset, Error> {
        let one = std::slice::from_ref(&self.place);
        let mut listed = self
            .client
            .list_offsets(one, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await?;
        match listed.remove(&self.place) {
            Some(Ok(listed)) => Ok(listed.offset),
            Some(Err(error)) => Err(Error::Own {
                topic: self.place.topic.clone(),
                purpose: "a probe",
                what: "its end cannot be found".to_owned(),
                cause: Some(error),
            }),
            None => Err(Error::NoLeader {
                partition: self.place.clone(),
            }),
        }
    }

    async fn end_at_least(&self, wanted: Offset) -> Result<Offset, Error> {
        for _ in 0..LOOKS {
            if self.end().await? >= wanted {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.end().await
    }

    async fn produce(
        &self,
        producer: ProducerId,
        sequence: i32,
        records: i64,
    ) -> Result<Result<Offset, KafkaError>, Error> {
        let identity = ProducerIdentity {
            id: producer.id,
            epoch: producer.epoch,
            transactional: Transactional::No,
        };
        let mut batch = batch(records)?;
        batch.sign(identity, sequence);
        let request = ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout: self.client.options().request_timeout,
            partitions: vec![ProducePartition {
                partition: self.place.clone(),
                topic_id: self.topic_id,
                batch,
            }],
        };
        let answer = self.connection.produce(request).await?.await?;
        match answer.partitions.into_iter().next() {
            Some((_, Err(error))) if towpath_wire::classify(error).is_soon() => Err(Error::NoLeader {
                partition: self.place.clone(),
            }),
            Some((_, Err(KafkaError::TOPIC_AUTHORIZATION_FAILED))) => Err(self
                .client
                .not_allowed(towpath_wire::Operation::Write, &self.place.topic)),
            Some((_, result)) => Ok(result.map(|appended| appended.base_offset)),
            None => Err(Error::NoLeader {
                partition: self.place.clone(),
            }),
        }
    }
}

/// Records that say what they are, to whoever looks into the topic.
fn batch(records: i64) -> Result<Outgoing, Error> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let mut encoder = Encoder::new(Compression::None);
    let rows = (0..records).map(|offset| Record {
        offset: Offset(offset),
        timestamp: now.as_millis() as i64,
        key: None,
        value: Some(b"a probe of the broker by Towpath"),
        headers: Headers::EMPTY,
    });
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(records),
    };
    let batches = encoder.encode_split(rows, span, usize::MAX);
    let batch = batches.ok().and_then(|batches| batches.into_iter().next());
    batch.ok_or(Error::Closed)
}

fn differs(
    what: &str,
    found: Result<Offset, KafkaError>,
    expected: Result<Offset, KafkaError>,
) -> Result<(), String> {
    let text = |result: Result<Offset, KafkaError>| match result {
        Ok(offset) => format!("offset {offset}"),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "the target's brokers do not do what exact delivery rests on: {what}: {} was expected, the answer was {}",
        text(expected),
        text(found)
    ))
}
