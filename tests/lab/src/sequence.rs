//! What an at-least-once copy did to the sequence numbers of its source: what is missing, what came twice, how far it went back.

use std::{fmt, ops::Range};

use anyhow::{Result, ensure};
use rdkafka::Message;

use crate::{
    generate::Traffic,
    read::{self, Isolation},
};

/// The findings of one topic, by partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub partitions: Vec<PartitionAudit>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionAudit {
    pub records: u64,
    /// Sequence numbers that never came, as ranges over the partition's own count (0 is its first record).
    pub missing: Vec<Range<u64>>,
    /// Records that had come before.
    pub duplicates: u64,
    /// First arrivals that came after a later one: the order is broken.
    pub out_of_order: u64,
    pub rewinds: Vec<Rewind>,
}

/// A place where the copy started again from an earlier record: a worker took over from a stored position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewind {
    /// The target's offset of the first repeated record.
    pub offset: i64,
    /// Records between the repeated one and the last one before it, both counted: what had not been covered by a position.
    pub records: u64,
}

/// Reads the copy of `traffic` (all of it, from record 0), uncommitted records too, and compares sequence numbers.
pub fn audit(bootstrap: &str, topic: &str, traffic: &Traffic) -> Result<Audit> {
    audit_as((bootstrap, topic), traffic, Isolation::ReadUncommitted)
}

/// As [`audit`], by a reader of that isolation.
pub fn audit_as((bootstrap, topic): (&str, &str), traffic: &Traffic, isolation: Isolation) -> Result<Audit> {
    let expected = Traffic {
        records: traffic.first + traffic.records,
        first: 0,
        ..traffic.clone()
    };
    let partitions = u64::from(traffic.partitions.unsigned_abs());
    let mut seen: Vec<Vec<bool>> = expected
        .records_by_partition()
        .into_iter()
        .map(|records| usize::try_from(records).map(|records| vec![false; records]))
        .collect::<Result<_, _>>()?;
    let mut last: Vec<Option<usize>> = vec![None; seen.len()];
    let mut newest = last.clone();
    let mut audit = Audit {
        partitions: vec![PartitionAudit::default(); seen.len()],
    };

    read::topic(bootstrap, topic, isolation, |message| {
        let seq = read::sequence(message)?;
        let (partition, offset) = (usize::try_from(message.partition())?, message.offset());
        ensure!(
            expected.partition(seq) == message.partition(),
            "record {seq} is in partition {partition}, offset {offset}"
        );
        let index = usize::try_from(seq / partitions)?;
        let found = &mut audit.partitions[partition];
        ensure!(
            index < seen[partition].len(),
            "record {seq} at {partition}/{offset} was never generated"
        );
        found.records += 1;
        if let Some(last) = last[partition]
            && index <= last
        {
            found.rewinds.push(Rewind {
                offset,
                records: (last - index + 1) as u64,
            });
        }
        if std::mem::replace(&mut seen[partition][index], true) {
            found.duplicates += 1;
        } else if newest[partition].is_some_and(|newest| index < newest) {
            found.out_of_order += 1;
        }
        last[partition] = Some(index);
        newest[partition] = newest[partition].max(Some(index));
        Ok(())
    })?;

    for (found, seen) in audit.partitions.iter_mut().zip(&seen) {
        found.missing = gaps(seen);
    }
    Ok(audit)
}

// === impl Audit ===

impl Audit {
    pub fn duplicates(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.duplicates).sum()
    }

    pub fn missing(&self) -> u64 {
        self.partitions
            .iter()
            .flat_map(|partition| &partition.missing)
            .map(|range| range.end - range.start)
            .sum()
    }

    /// The longest way back of any partition, in records.
    pub fn longest_rewind(&self) -> u64 {
        self.partitions
            .iter()
            .flat_map(|partition| &partition.rewinds)
            .map(|rewind| rewind.records)
            .max()
            .unwrap_or(0)
    }

    /// Nothing lost and the order kept; what came twice came again in order.
    pub fn assert_at_least_once(&self) -> Result<()> {
        let out_of_order: u64 = self
            .partitions
            .iter()
            .map(|partition| partition.out_of_order)
            .sum();
        ensure!(self.missing() == 0 && out_of_order == 0, "{self}");
        Ok(())
    }

    /// Nothing lost, nothing twice, the order kept.
    pub fn assert_exactly_once(&self) -> Result<()> {
        self.assert_at_least_once()?;
        ensure!(self.duplicates() == 0, "{self}");
        Ok(())
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (partition, found) in self.partitions.iter().enumerate() {
            let missing = &found.missing[..found.missing.len().min(5)];
            writeln!(
                f,
                "partition {partition}: {} records, missing {missing:?}{}, {} duplicates, {} out of order, {} rewinds (longest {})",
                found.records,
                if missing.len() < found.missing.len() {
                    " and more"
                } else {
                    ""
                },
                found.duplicates,
                found.out_of_order,
                found.rewinds.len(),
                found
                    .rewinds
                    .iter()
                    .map(|rewind| rewind.records)
                    .max()
                    .unwrap_or(0)
            )?;
        }
        Ok(())
    }
}

fn gaps(seen: &[bool]) -> Vec<Range<u64>> {
    let mut gaps: Vec<Range<u64>> = Vec::new();
    for (index, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
        let index = index as u64;
        match gaps.last_mut() {
            Some(gap) if gap.end == index => gap.end += 1,
            _ => gaps.push(index..index + 1),
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn gaps_are_ranges() {
        assert_eq!(
            gaps(&[false, true, true, false, false, true, false]),
            [0..1, 3..5, 6..7]
        );
        assert_eq!(gaps(&[]), []);
    }
}
