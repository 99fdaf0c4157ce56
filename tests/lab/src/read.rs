//! Reading a whole topic with librdkafka, record by record.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers},
};

pub use towpath_kafka::verify::Isolation;

use crate::generate::SEQ_HEADER;

const STALL: Duration = Duration::from_secs(60);

/// Calls `each` for every record up to the end offsets of now, each partition in order. Returns the records of each partition.
pub fn topic(
    bootstrap: &str,
    topic: &str,
    isolation: Isolation,
    mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<Vec<u64>> {
    let level = match isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "towpath-lab-read")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", level)
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", "16384")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), STALL)?;
    let partitions = metadata
        .topics()
        .first()
        .map_or(0, |found| found.partitions().len());
    if partitions == 0 {
        bail!("no topic {topic} on {bootstrap}");
    }
    let mut assignment = TopicPartitionList::new();
    let mut ends = vec![None; partitions];
    for (partition, end) in (0..).zip(&mut ends) {
        let (low, high) = consumer.fetch_watermarks(topic, partition, STALL)?;
        if low < high {
            assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
            *end = Some(high);
        }
    }
    let mut open = assignment.count();
    consumer.assign(&assignment)?;

    let mut counts = vec![0; partitions];
    let mut last = Instant::now();
    while open > 0 {
        let ended = match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                last = Instant::now();
                let partition = usize::try_from(message.partition())?;
                let Some(end) = ends[partition] else { continue };
                if message.offset() < end {
                    each(&message)?;
                    counts[partition] += 1;
                }
                (message.offset() + 1 >= end).then_some(partition)
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => Some(usize::try_from(partition)?),
            Some(Err(error)) if last.elapsed() > STALL => {
                return Err(error).with_context(|| format!("reading {topic}"));
            }
            None if last.elapsed() > STALL => bail!(
                "{topic} on {bootstrap} delivered nothing for {} s",
                STALL.as_secs()
            ),
            Some(Err(_)) | None => None,
        };
        if let Some(partition) = ended
            && ends[partition].take().is_some()
        {
            open -= 1;
        }
    }
    Ok(counts)
}

/// The records of each partition.
pub fn count(bootstrap: &str, name: &str, isolation: Isolation) -> Result<Vec<u64>> {
    topic(bootstrap, name, isolation, |_| Ok(()))
}

/// The sequence number that a generator gave to a record.
pub fn sequence(message: &BorrowedMessage<'_>) -> Result<u64> {
    let headers = message.headers().context("a record of the lab has headers")?;
    let value = headers
        .iter()
        .find(|header| header.key == SEQ_HEADER)
        .and_then(|header| header.value);
    let text = std::str::from_utf8(
        value.with_context(|| format!("no header {SEQ_HEADER} at offset {}", message.offset()))?,
    )?;
    Ok(text.parse()?)
}
