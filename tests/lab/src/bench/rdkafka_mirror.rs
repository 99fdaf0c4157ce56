//! A mirror made of librdkafka: what an engineer in a hurry writes, with every knob turned the right way. It is lean: no positions, no
//! new partitions, no recovery.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, DeliveryResult, Headers},
    producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer, ProducerContext},
};

use super::contender::{MASKED, REPLACEMENT};
use crate::mask::Masker;

#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The broker to read from, host:port
    #[arg(long)]
    source: String,
    /// The broker to write to, host:port
    #[arg(long)]
    target: String,
    /// A topic that exists on both
    #[arg(long)]
    topic: String,
    #[arg(long)]
    partitions: i32,
    /// Speak TLS to the source; its certificate authority, a PEM file
    #[arg(long, value_name = "FILE")]
    source_ca: Option<PathBuf>,
    /// Speak TLS to the target
    #[arg(long, value_name = "FILE")]
    target_ca: Option<PathBuf>,
    /// Mask two fields of the lab's orders, by serde_json
    #[arg(long)]
    mask: bool,
    /// Change the value of this record, counted from 0 as they come: for the test that a false copy is found
    #[arg(long, hide = true)]
    falsify: Option<u64>,
}

/// Keeps the first record that was refused.
#[derive(Default)]
struct Refused(Mutex<Option<String>>);

/// Records between two looks at what the producer has to say.
const SERVE_EVERY: u64 = 1000;

/// Mirrors until the process is ended, or a record is refused.
pub fn run(options: &Options) -> Result<()> {
    let consumer = consumer(options)?;
    let producer = producer(options)?;
    let masker = options
        .mask
        .then(|| Masker::new(&MASKED, REPLACEMENT))
        .transpose()?;
    let mut value = Vec::new();
    let mut passed = 0_u64;
    loop {
        if passed.is_multiple_of(SERVE_EVERY) {
            producer.poll(Duration::ZERO);
            producer.context().check()?;
        }
        let message = match consumer.poll(Duration::from_millis(50)) {
            None => {
                producer.poll(Duration::ZERO);
                producer.context().check()?;
                continue;
            }
            Some(Err(error)) => {
                eprintln!("{error}");
                continue;
            }
            Some(Ok(message)) => message,
        };
        value.clear();
        let changed = match (&masker, message.payload()) {
            (Some(masker), Some(payload)) => {
                masker.apply(payload, &mut value);
                Some(value.as_slice())
            }
            (None, payload) if options.falsify == Some(passed) => {
                value.extend_from_slice(payload.unwrap_or_default());
                value.push(b'!');
                Some(value.as_slice())
            }
            (_, payload) => payload,
        };
        send(&producer, options, &message, changed)?;
        passed += 1;
    }
}

fn send(
    producer: &BaseProducer<Refused>,
    options: &Options,
    message: &BorrowedMessage<'_>,
    value: Option<&[u8]>,
) -> Result<()> {
    let mut record: BaseRecord<'_, [u8], [u8]> =
        BaseRecord::to(&options.topic).partition(message.partition());
    record.key = message.key();
    record.payload = value;
    record.timestamp = message.timestamp().to_millis();
    record.headers = message
        .headers()
        .filter(|headers| headers.count() > 0)
        .map(|headers| headers.detach());
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                producer.poll(Duration::from_millis(5));
                producer.context().check()?;
            }
            Err((error, _)) => bail!("cannot send to {}: {error}", options.topic),
        }
    }
}

fn client(bootstrap: &str, ca: Option<&Path>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    if let Some(ca) = ca {
        config
            .set("security.protocol", "ssl")
            .set("ssl.ca.location", ca.display().to_string());
    }
    config
}

fn consumer(options: &Options) -> Result<BaseConsumer> {
    let consumer: BaseConsumer = client(&options.source, options.source_ca.as_deref())
        .set("group.id", "towpath-lab-mirror")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("fetch.max.bytes", "8388608")
        .set("max.partition.fetch.bytes", "1048576")
        .set("queued.min.messages", "100000")
        .set("queued.max.messages.kbytes", "65536")
        .set("fetch.queue.backoff.ms", "5")
        .create()
        .context("cannot make a consumer")?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..options.partitions {
        assignment.add_partition_offset(&options.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

fn producer(options: &Options) -> Result<BaseProducer<Refused>> {
    client(&options.target, options.target_ca.as_deref())
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", "20")
        .set("batch.size", "524288")
        .set("batch.num.messages", "50000")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "131072")
        .set("delivery.report.only.error", "true")
        .create_with_context(Refused::default())
        .context("cannot make a producer")
}

// === impl Refused ===

impl Refused {
    fn check(&self) -> Result<()> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => bail!("a record was refused: {error}"),
            None => Ok(()),
        }
    }
}

impl ClientContext for Refused {}

impl ProducerContext<NoCustomPartitioner> for Refused {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, _)) = result {
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.to_string());
        }
    }
}
