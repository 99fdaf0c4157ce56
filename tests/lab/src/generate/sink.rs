//! librdkafka's producer, with every acknowledgement counted.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::{
    ClientConfig, ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer, ProducerContext},
};

use super::Codec;

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

/// A producer into one topic. [`Sink::finish`] tells whether everything arrived.
pub struct Sink {
    producer: BaseProducer<Counts>,
    topic: String,
    sent: AtomicU64,
}

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    first_error: Mutex<Option<String>>,
}

const TIMEOUT: Duration = Duration::from_secs(120);

// === impl Sink ===

impl Sink {
    /// `properties` are librdkafka's and win over the lab's (`transactional.id`, `linger.ms`, `batch.size`...).
    pub fn new(bootstrap: &str, topic: &str, codec: Codec, properties: &[(String, String)]) -> Result<Self> {
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
        let producer = config
            .create_with_context(Counts::default())
            .context("cannot make a producer")?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
            sent: AtomicU64::new(0),
        })
    }

    /// Hands over a record; waits while the producer's queue is full.
    pub fn send(&self, item: &Item<'_>) -> Result<()> {
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
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    record = again;
                    self.producer.poll(Duration::from_millis(100));
                }
                Err((error, _)) => bail!("cannot send to {}: {error}", self.topic),
            }
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Lets acknowledgements in.
    pub fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until everything so far was acknowledged, and fails if anything was not.
    pub fn finish(&self) -> Result<()> {
        self.producer
            .flush(TIMEOUT)
            .with_context(|| format!("not everything arrived in {}", self.topic))?;
        let counts = self.producer.context();
        if let Some(error) = counts
            .first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
        {
            bail!("a record was refused by {}: {error}", self.topic);
        }
        let (sent, delivered) = (
            self.sent.load(Ordering::Relaxed),
            counts.delivered.load(Ordering::Relaxed),
        );
        ensure!(
            sent == delivered,
            "{sent} records were sent to {}, {delivered} acknowledged",
            self.topic
        );
        Ok(())
    }

    /// For transactions.
    pub(super) fn transaction<T>(&self, act: impl FnOnce(&dyn Transact) -> Result<T>) -> Result<T> {
        act(&self.producer)
    }
}

/// The transactional calls of a producer.
pub(super) trait Transact {
    fn init(&self) -> Result<()>;
    fn begin(&self) -> Result<()>;
    fn commit(&self) -> Result<()>;
    fn abort(&self) -> Result<()>;
}

impl Transact for BaseProducer<Counts> {
    fn init(&self) -> Result<()> {
        Ok(self.init_transactions(TIMEOUT)?)
    }

    fn begin(&self) -> Result<()> {
        Ok(self.begin_transaction()?)
    }

    fn commit(&self) -> Result<()> {
        Ok(self.commit_transaction(TIMEOUT)?)
    }

    fn abort(&self) -> Result<()> {
        Ok(self.abort_transaction(TIMEOUT)?)
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

/// Writes a number in decimal.
pub(super) fn decimal(number: u64, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing into a vector cannot fail.
    let _ = write!(out, "{number}");
}
