//! Writing records into a topic through librdkafka, with every acknowledgement counted.
//!
//! The producer is idempotent: what [`Producer::finish`] calls written is in the log exactly once.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext},
};

/// A producer into one topic. [`Producer::finish`] tells whether everything arrived.
pub struct Producer {
    client: BaseProducer<Counts>,
    topic: String,
    sent: AtomicU64,
}

/// A record to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Item<'a> {
    pub partition: i32,
    /// Milliseconds.
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// In order; keys may repeat, and a null value is not an empty one.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// How batches are compressed (`compression.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Why records could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot make a producer for {topic}: {reason}")]
    Client { topic: String, reason: String },
    #[error("cannot send to {topic}: {reason}")]
    Send { topic: String, reason: String },
    #[error("not everything arrived in {topic} within {seconds} s: {reason}")]
    Unfinished {
        topic: String,
        seconds: u64,
        reason: String,
    },
    #[error("a record was refused by {topic}: {reason}")]
    Refused { topic: String, reason: String },
    #[error("{sent} records were sent to {topic}, {delivered} acknowledged")]
    Lost {
        topic: String,
        sent: u64,
        delivered: u64,
    },
    #[error("the transaction on {topic} failed: {reason}")]
    Transaction { topic: String, reason: String },
}

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    first_error: Mutex<Option<String>>,
}

const TIMEOUT: Duration = Duration::from_secs(120);

// === impl Producer ===

impl Producer {
    /// `properties` are librdkafka's and win over ours (`transactional.id`, `linger.ms`, `batch.size`...).
    pub fn new(
        bootstrap: &str,
        topic: &str,
        codec: Codec,
        properties: &[(String, String)],
    ) -> Result<Self, Error> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("compression.type", codec.name())
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("batch.size", "524288")
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "131072")
            // A broker may be killed and started again while traffic flows.
            .set("message.timeout.ms", "300000")
            .set("transaction.timeout.ms", "300000");
        for (key, value) in properties {
            config.set(key, value);
        }
        let topic = topic.to_owned();
        match config.create_with_context(Counts::default()) {
            Ok(client) => Ok(Self {
                client,
                topic,
                sent: AtomicU64::new(0),
            }),
            Err(error) => Err(Error::Client {
                topic,
                reason: error.to_string(),
            }),
        }
    }

    /// Hands over a record; waits while the queue is full.
    pub fn send(&self, item: &Item<'_>) -> Result<(), Error> {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic)
            .partition(item.partition)
            .timestamp(item.timestamp);
        record.key = item.key;
        record.payload = item.value;
        if !item.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(item.headers.len());
            record.headers = Some(item.headers.iter().fold(headers, |headers, (key, value)| {
                headers.insert(Header { key, value: *value })
            }));
        }
        loop {
            match self.client.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    record = again;
                    self.client.poll(Duration::from_millis(100));
                }
                Err((error, _)) => {
                    return Err(Error::Send {
                        topic: self.topic.clone(),
                        reason: error.to_string(),
                    });
                }
            }
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Lets acknowledgements in.
    pub fn serve(&self) {
        self.client.poll(Duration::ZERO);
    }

    /// Waits until everything so far was acknowledged, and fails if anything was not.
    pub fn finish(&self) -> Result<(), Error> {
        self.client.flush(TIMEOUT).map_err(|error| Error::Unfinished {
            topic: self.topic.clone(),
            seconds: TIMEOUT.as_secs(),
            reason: error.to_string(),
        })?;
        let counts = self.client.context();
        let first = counts.first_error.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = first.clone() {
            return Err(Error::Refused {
                topic: self.topic.clone(),
                reason,
            });
        }
        let (sent, delivered) = (
            self.sent.load(Ordering::Relaxed),
            counts.delivered.load(Ordering::Relaxed),
        );
        if sent != delivered {
            return Err(Error::Lost {
                topic: self.topic.clone(),
                sent,
                delivered,
            });
        }
        Ok(())
    }

    /// Once, before the first transaction; the producer needs a `transactional.id`.
    pub fn init_transactions(&self) -> Result<(), Error> {
        self.transaction(self.client.init_transactions(TIMEOUT))
    }

    pub fn begin_transaction(&self) -> Result<(), Error> {
        self.transaction(self.client.begin_transaction())
    }

    pub fn commit_transaction(&self) -> Result<(), Error> {
        self.transaction(self.client.commit_transaction(TIMEOUT))
    }

    pub fn abort_transaction(&self) -> Result<(), Error> {
        self.transaction(self.client.abort_transaction(TIMEOUT))
    }

    fn transaction(&self, result: Result<(), KafkaError>) -> Result<(), Error> {
        result.map_err(|error| Error::Transaction {
            topic: self.topic.clone(),
            reason: error.to_string(),
        })
    }
}

// === impl Codec ===

impl Codec {
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// As in `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

// === impl Counts ===

impl ClientContext for Counts {}

impl ProducerContext<NoCustomPartitioner> for Counts {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| error.to_string());
            }
        }
    }
}
