//! What is measured: a row of the table each.

use crate::{
    generate::{Content, Traffic},
    number::grouped,
};

/// Something to measure, with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub what: What,
    pub records: u64,
    /// Of a record's value.
    pub value_bytes: usize,
    pub partitions: i32,
    /// How long latency is measured, and then idleness.
    pub seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Text of one size, passed through.
    Copy,
    /// The same over TLS on both sides.
    Tls,
    /// JSON with two fields masked: by plugins/mask-field, by a Jackson transformation in Connect, by serde_json in librdkafka's mirror.
    Mask,
    /// 1,000 records a second, and then none.
    Steady,
    /// Nothing to do on many partitions. Towpath alone.
    Idle,
    /// The same bytes on few and on many partitions. Towpath alone.
    Partitions,
}

/// Records a second of [`What::Steady`].
pub(super) const STEADY_RATE: u64 = 1000;
/// Partitions of [`What::Partitions`].
pub(super) const PARTITION_COUNTS: [i32; 3] = [8, 100, 2000];

// === impl Row ===

impl Row {
    /// Names of the rows that are measured when nothing else is asked for.
    pub const NAMES: [&str; 7] = ["1k", "100b", "mask", "tls", "latency", "idle", "partitions"];

    /// None: there is no such row.
    pub fn named(name: &str) -> Option<Self> {
        let usual = Self {
            what: What::Copy,
            records: 2_000_000,
            value_bytes: 1024,
            partitions: 8,
            seconds: 20,
        };
        let what = |what, records| Self {
            what,
            records,
            ..usual
        };
        Some(match name {
            "1k" => usual,
            "100b" => Self {
                records: 5_000_000,
                value_bytes: 100,
                ..usual
            },
            "mask" => what(What::Mask, 1_000_000),
            "tls" => what(What::Tls, 1_000_000),
            // What is mirrored before: so that a JVM has compiled what it runs.
            "latency" => what(What::Steady, 200_000),
            "idle" => Self {
                partitions: 1000,
                ..what(What::Idle, 10_000)
            },
            // Enough that a target with 2,000 new logs is warm for most of them.
            "partitions" => what(What::Partitions, 4_000_000),
            _ => return None,
        })
    }

    /// As in topic names, and on the command line where it is one of the usual rows.
    pub fn name(&self) -> String {
        match self.what {
            What::Copy if self.value_bytes == 1024 => "1k".to_owned(),
            What::Copy => format!("{}b", self.value_bytes),
            What::Tls => "tls".to_owned(),
            What::Mask => "mask".to_owned(),
            What::Steady => "latency".to_owned(),
            What::Idle => "idle".to_owned(),
            What::Partitions => "partitions".to_owned(),
        }
    }

    pub fn title(&self) -> String {
        let (records, size) = (grouped(self.records), size(self.value_bytes));
        let partitions = grouped(u64::from(self.partitions.unsigned_abs()));
        match self.what {
            What::Copy => {
                format!("{records} records of {size}, passed through, {partitions} partitions, lz4")
            }
            What::Tls => {
                format!("{records} records of {size}, TLS on both sides, {partitions} partitions, lz4")
            }
            What::Mask => {
                format!("{records} JSON records of {size}, two fields masked, {partitions} partitions, lz4")
            }
            What::Steady => {
                format!(
                    "{STEADY_RATE} records a second of {size} for {} s, then none for {0} s, {partitions} partitions",
                    self.seconds
                )
            }
            What::Idle => format!("nothing to do on {partitions} partitions for {} s", self.seconds),
            What::Partitions => {
                format!("{records} records of {size} in batches of 64 on 8, 100 and 2,000 partitions")
            }
        }
    }

    /// The traffic of the source topic.
    pub(super) fn traffic(&self, topic: &str, partitions: i32) -> Traffic {
        let content = match self.what {
            What::Mask => Content::Orders,
            _ => Content::Text,
        };
        Traffic {
            content,
            ..Traffic::text(topic, partitions, self.records, self.value_bytes)
        }
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        1024 => "1 KiB".to_owned(),
        bytes => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_the_names_they_have() {
        for name in Row::NAMES {
            assert_eq!(Row::named(name).unwrap().name(), name);
        }
        assert_eq!(Row::named("2k"), None);
    }
}
