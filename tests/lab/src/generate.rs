//! Traffic with known contents: every record is a function of its sequence number, so a test can say what must be where.
//!
//! Record `seq` goes to partition `seq % partitions` and carries its number in the header `seq` (decimal text). The traffic is written by
//! librdkafka's idempotent producer: what is counted as written is in the log exactly once. A LogAppendTime source is ordinary
//! traffic into a topic with `message.timestamp.type=LogAppendTime`.

mod compacted;
mod edges;
mod orders;
mod transactional;

use std::{
    io::Write,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;

use crate::wait;

pub use self::{
    compacted::{compacted, rest_cleaner},
    edges::{EDGE_KINDS, edges},
    orders::text,
    transactional::{Transactions, transactional},
};
pub use towpath_kafka::produce::{Codec, Item, Producer as Sink};

/// The header that carries a record's sequence number.
pub const SEQ_HEADER: &str = "seq";

/// Ordinary traffic into one topic.
#[derive(Clone, Debug)]
pub struct Traffic {
    pub topic: String,
    pub partitions: i32,
    /// Records to write, `first..first + records`.
    pub records: u64,
    pub first: u64,
    /// Size of a value in bytes; orders have at least about 250.
    pub value_bytes: usize,
    pub codec: Codec,
    pub content: Content,
    pub seed: u64,
    /// Timestamp of record 0 in ms. Ten records share a millisecond.
    pub base_timestamp: i64,
    pub pace: Pace,
    /// Further librdkafka producer properties; they win.
    pub properties: Vec<(String, String)>,
}

/// What values hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Compact JSON: an order with a customer whose `card` and `email` are to be masked.
    Orders,
    /// Words.
    Text,
    /// Bytes that do not compress.
    Random,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    Unlimited,
    PerSecond(u64),
}

/// What was written and acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// By partition.
    pub records: Vec<u64>,
    /// Bytes of keys and values.
    pub bytes: u64,
    pub elapsed: Duration,
}

// === impl Traffic ===

impl Traffic {
    /// Orders of 1 KiB, compressed with lz4, as fast as possible.
    pub fn orders(topic: &str, partitions: i32, records: u64) -> Self {
        // An hour ago: retention leaves it alone, and even millions of records stay below the broker's clock.
        let hour_ago = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_sub(Duration::from_secs(3600));
        Self {
            topic: topic.to_owned(),
            partitions,
            records,
            first: 0,
            value_bytes: 1024,
            codec: Codec::Lz4,
            content: Content::Orders,
            seed: 1,
            base_timestamp: i64::try_from(hour_ago.as_millis()).unwrap_or(0),
            pace: Pace::Unlimited,
            properties: Vec::new(),
        }
    }

    /// Text values of a size in bytes, otherwise as [`Traffic::orders`].
    pub fn text(topic: &str, partitions: i32, records: u64, value_bytes: usize) -> Self {
        Self {
            content: Content::Text,
            value_bytes,
            ..Self::orders(topic, partitions, records)
        }
    }

    /// The same traffic going on: the next `records` records.
    #[must_use]
    pub fn then(&self, records: u64) -> Self {
        Self {
            first: self.first + self.records,
            records,
            ..self.clone()
        }
    }

    #[must_use]
    pub fn codec(self, codec: Codec) -> Self {
        Self { codec, ..self }
    }

    #[must_use]
    pub fn pace(self, per_second: u64) -> Self {
        Self {
            pace: Pace::PerSecond(per_second),
            ..self
        }
    }

    pub fn partition(&self, seq: u64) -> i32 {
        // A remainder is smaller than the partition count, an i32.
        (seq % u64::from(self.partitions.unsigned_abs())) as i32
    }

    pub fn timestamp(&self, seq: u64) -> i64 {
        self.base_timestamp + i64::try_from(seq / 10).unwrap_or(0)
    }

    /// Writes the key of a record: the order's id.
    pub fn key(&self, seq: u64, key: &mut Vec<u8>) {
        orders::id(seq, key);
    }

    /// Writes the value of a record.
    pub fn value(&self, seq: u64, value: &mut Vec<u8>) {
        match self.content {
            Content::Orders => orders::order(self.seed, seq, self.timestamp(seq), self.value_bytes, value),
            Content::Text => value.extend_from_slice(text(mix(self.seed, seq), self.value_bytes)),
            Content::Random => {
                let words = (0..).map(|word| mix(mix(self.seed, seq), word).to_le_bytes());
                value.extend(words.flatten().take(self.value_bytes));
            }
        }
    }

    /// How many records each partition gets.
    pub fn records_by_partition(&self) -> Vec<u64> {
        let partitions = u64::from(self.partitions.unsigned_abs());
        let below = |end: u64, partition: u64| (end + partitions - 1 - partition) / partitions;
        (0..partitions)
            .map(|partition| below(self.first + self.records, partition) - below(self.first, partition))
            .collect()
    }

    /// Writes all of it and waits for every acknowledgement.
    pub fn produce(&self, bootstrap: &str) -> Result<Generated> {
        self.produce_with(bootstrap, |_| {})
    }

    /// As [`Traffic::produce`]; `progress` is told now and then how many records were handed to the producer.
    pub fn produce_with(&self, bootstrap: &str, mut progress: impl FnMut(u64)) -> Result<Generated> {
        let sink = Sink::new(bootstrap, &self.topic, self.codec, &self.properties)?;
        let started = Instant::now();
        let (mut key, mut value, mut number) = (Vec::new(), Vec::new(), Vec::new());
        let mut generated = Generated {
            records: vec![0; usize::try_from(self.partitions)?],
            ..Generated::default()
        };
        for seq in self.first..self.first + self.records {
            let sent = seq - self.first;
            if sent.is_multiple_of(256) {
                self.pace.wait(started, sent);
                sink.serve();
                progress(sent);
            }
            key.clear();
            value.clear();
            number.clear();
            self.key(seq, &mut key);
            self.value(seq, &mut value);
            decimal(seq, &mut number);
            sink.send(&Item {
                partition: self.partition(seq),
                timestamp: self.timestamp(seq),
                key: Some(&key),
                value: Some(&value),
                headers: &[(SEQ_HEADER, Some(&number))],
            })?;
            generated.records[usize::try_from(self.partition(seq))?] += 1;
            generated.bytes += (key.len() + value.len()) as u64;
        }
        sink.finish()?;
        progress(self.records);
        generated.elapsed = started.elapsed();
        Ok(generated)
    }
}

// === impl Pace ===

impl Pace {
    fn wait(self, started: Instant, sent: u64) {
        if let Self::PerSecond(rate) = self {
            let due = Duration::from_secs_f64(sent as f64 / rate.max(1) as f64);
            if let Some(early) = due.checked_sub(started.elapsed()) {
                wait::pause(early);
            }
        }
    }
}

// === impl Generated ===

impl Generated {
    pub fn total(&self) -> u64 {
        self.records.iter().sum()
    }
}

/// Writes a number in decimal.
fn decimal(number: u64, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = write!(out, "{number}");
}

/// Splitmix64 of a seed and a number: the lab's only randomness, the same on every machine.
pub fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0xD134_2543_DE82_EF95)
        .wrapping_add(number)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_wanted_size_and_are_repeatable() {
        for content in [Content::Orders, Content::Text, Content::Random] {
            let traffic = Traffic {
                content,
                ..Traffic::orders("t", 8, 10)
            };
            for seq in [0, 7, 123_456_789] {
                let (mut one, mut two) = (Vec::new(), Vec::new());
                traffic.value(seq, &mut one);
                traffic.value(seq, &mut two);
                assert_eq!(one.len(), 1024, "{content:?} {seq}");
                assert_eq!(one, two);
                if content == Content::Orders {
                    let order: serde_json::Value = serde_json::from_slice(&one).unwrap();
                    assert_eq!(
                        serde_json::to_vec(&order).unwrap(),
                        one,
                        "orders are compact JSON"
                    );
                    assert!(order["customer"]["card"].is_string() && order["customer"]["email"].is_string());
                }
            }
        }
    }

    #[test]
    fn counts_by_partition_add_up() {
        let traffic = Traffic {
            first: 5,
            ..Traffic::orders("t", 3, 10)
        };
        let mut counted = vec![0; 3];
        for seq in 5..15 {
            counted[traffic.partition(seq) as usize] += 1;
        }
        assert_eq!(traffic.records_by_partition(), counted);
    }
}
