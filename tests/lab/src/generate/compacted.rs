//! A compacted topic whose log has holes.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Codec, Generated, Item, SEQ_HEADER, Sink, decimal, text};
use crate::{
    admin::Admin,
    broker::Broker,
    read::{self, Isolation},
    wait,
};

const RESTING: Duration = Duration::from_secs(90);

/// Creates a compacted topic, writes `records` records over few keys (and tombstones), and waits until the cleaner has
/// taken at least a third of them away. Returns what was written; what is left is what a reader counts.
pub fn compacted(broker: &Broker, topic: &str, partitions: i32, records: u64) -> Result<Generated> {
    let configs = [
        ("cleanup.policy", "compact"),
        // The smallest that Kafka 4 allows.
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.compaction.lag.ms", "0"),
        ("max.compaction.lag.ms", "1000"),
    ];
    broker.admin()?.create_topic(topic, partitions, &configs)?;

    let started = Instant::now();
    let sink = Sink::new(
        broker.bootstrap(),
        topic,
        Codec::Lz4,
        &[("batch.size".to_owned(), "65536".to_owned())],
    )?;
    let base = super::Traffic::orders(topic, partitions, 0).base_timestamp;
    let mut generated = Generated {
        records: vec![0; usize::try_from(partitions)?],
        ..Generated::default()
    };
    for seq in 0..records {
        let mut number = Vec::new();
        decimal(seq, &mut number);
        // Half of the records repeat a few keys, the others stay: batches get holes and are not emptied.
        let key = if seq % 4 < 2 {
            format!("hot-{}", seq % 50)
        } else {
            format!("cold-{seq}")
        };
        let item = Item {
            partition: (seq % u64::from(partitions.unsigned_abs())) as i32,
            timestamp: base + i64::try_from(seq)?,
            key: Some(key.as_bytes()),
            value: (seq % 97 != 3).then(|| text(super::mix(3, seq), 1000)),
            headers: &[(SEQ_HEADER, Some(&number))],
        };
        sink.send(&item)?;
        generated.records[usize::try_from(item.partition)?] += 1;
        generated.bytes += (key.len() + item.value.map_or(0, <[u8]>::len)) as u64;
    }
    sink.finish()?;
    generated.elapsed = started.elapsed();

    for (partition, written) in (0..).zip(&generated.records) {
        wait::until(
            &format!("the cleaner of {topic}-{partition}"),
            Duration::from_secs(120),
            || {
                let mut left = 0;
                for batch in broker.log_batches(topic, partition)? {
                    left += u64::from(batch?.record_count().unsigned_abs());
                }
                Ok((left * 3 <= written * 2).then_some(()))
            },
        )?;
    }
    Ok(generated)
}

/// Puts the cleaner of a topic to rest, so that what is read stays; what it has begun it ends. Returns the records that are left.
pub fn rest_cleaner(admin: &Admin<'_>, bootstrap: &str, topic: &str) -> Result<u64> {
    let never = [
        ("min.compaction.lag.ms", "1000000000000"),
        ("max.compaction.lag.ms", "9000000000000000"),
    ];
    admin.alter_topic(topic, &never)?;
    let mut left = 0;
    wait::until(&format!("the cleaner of {topic} to rest"), RESTING, || {
        wait::pause(Duration::from_secs(2));
        let counts = read::count(bootstrap, topic, Isolation::ReadCommitted)?;
        let before = std::mem::replace(&mut left, counts.iter().sum::<u64>());
        Ok((before == left).then_some(left))
    })
}
