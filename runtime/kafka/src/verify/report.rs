//! What a comparison found.

use std::{fmt, time::Duration};

use towpath_domain::{Offset, Partition};

use super::record::Record;

/// The outcome of a comparison: equal when no partition has a difference.
#[derive(Clone, Debug)]
pub struct Report {
    /// In order of their numbers.
    pub partitions: Vec<PartitionReport>,
    pub elapsed: Duration,
}

/// One partition of both topics.
#[derive(Clone, Debug)]
pub struct PartitionReport {
    pub partition: Partition,
    /// Records that were found equal, one after another, up to the first difference.
    pub compared: u64,
    pub source: SideReport,
    pub target: SideReport,
    pub difference: Option<Difference>,
}

/// What one side of a partition held, up to its end offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideReport {
    pub records: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// CRC-32C over the records' contents in order (source: as the target must have them). Timestamps are not in it.
    pub checksum: u32,
}

/// The first place where two partitions differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub partition: Partition,
    /// How many records were equal before.
    pub index: u64,
    pub what: What,
    /// `None`: the source has no more records. Its value is the expected one where a mask applies.
    pub source: Option<Record>,
    /// `None`: the target has no more records.
    pub target: Option<Record>,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Key,
    Value,
    Headers,
    Timestamp,
    /// The target lacks this many records of the source and then goes on, or ends.
    Missing {
        records: u64,
    },
    /// The target has this many records that the source does not have at this place.
    Extra {
        records: u64,
    },
    /// The target has the record of this earlier source offset again.
    Duplicate {
        of: Offset,
    },
    /// Both records exist on the other side too, later: the order differs.
    Order,
}

// === impl Report ===

impl Report {
    pub fn is_equal(&self) -> bool {
        self.first_difference().is_none()
    }

    pub fn first_difference(&self) -> Option<&Difference> {
        self.partitions
            .iter()
            .find_map(|partition| partition.difference.as_ref())
    }

    /// Records found equal.
    pub fn compared(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.compared).sum()
    }

    pub fn source_records(&self) -> u64 {
        self.partitions
            .iter()
            .map(|partition| partition.source.records)
            .sum()
    }

    pub fn target_records(&self) -> u64 {
        self.partitions
            .iter()
            .map(|partition| partition.target.records)
            .sum()
    }
}

// === impl SideReport ===

impl SideReport {
    pub(super) fn add(&mut self, bytes: usize, checksum: u32) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, &checksum.to_be_bytes());
    }
}

// === impl Difference ===

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let byte = match (&self.source, &self.target) {
            (Some(source), Some(target)) => first_differing_byte(
                source.value.as_deref().unwrap_or_default(),
                target.value.as_deref().unwrap_or_default(),
            ),
            _ => 0,
        };
        writeln!(
            f,
            "partition {}, after {} equal records: {}",
            self.partition.0, self.index, self.what
        )?;
        for (side, record) in [("source", &self.source), ("target", &self.target)] {
            write!(f, "  {side}: ")?;
            match record {
                Some(record) => record.write_around(f, byte)?,
                None => f.write_str("no more records")?,
            }
            f.write_str(if side == "source" { "\n" } else { "" })?;
        }
        Ok(())
    }
}

// === impl What ===

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("the keys differ"),
            Self::Value => f.write_str("the values differ"),
            Self::Headers => f.write_str("the headers differ"),
            Self::Timestamp => f.write_str("the timestamps differ"),
            Self::Missing { records } => write!(f, "records missing on the target: {records}"),
            Self::Extra { records } => write!(f, "records on the target that the source has not: {records}"),
            Self::Duplicate { of } => write!(f, "the target has the record of source offset {} again", of.0),
            Self::Order => f.write_str("the order of the records differs"),
        }
    }
}

fn first_differing_byte(left: &[u8], right: &[u8]) -> usize {
    left.iter()
        .zip(right)
        .position(|(left, right)| left != right)
        .unwrap_or(left.len().min(right.len()))
}
