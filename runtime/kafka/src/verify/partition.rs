//! One partition of both topics, in lockstep.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use rdkafka::{Message, message::BorrowedMessage};
use towpath_domain::{Offset, Partition};

use super::{
    Error, Mask, Timestamps,
    reader::{Reader, Stream},
    record::{Record, checksum, difference},
    report::{Difference, PartitionReport, SideReport, What},
};

/// A partition and the offsets to read on each side.
pub(super) struct Pair {
    pub(super) partition: Partition,
    pub(super) source: Range<i64>,
    pub(super) target: Range<i64>,
}

/// The last source records by checksum: a mirror that was killed starts again at its position and repeats what came after.
struct Recent(VecDeque<(u32, i64)>);

/// Twice the records that may lie between two positions of a mirror (50,000).
const RECENT: usize = 100_000;

// === impl Pair ===

impl Pair {
    pub(super) fn source_offsets(&self) -> u64 {
        span(&self.source)
    }

    pub(super) fn compare(
        &self,
        source: &Reader<'_>,
        target: &Reader<'_>,
        mask: Option<&Mask<'_>>,
        timestamps: Timestamps,
        passed: &AtomicU64,
    ) -> Result<PartitionReport, Error> {
        let mut source = source.stream(self.partition, &self.source)?;
        let mut target = target.stream(self.partition, &self.target)?;
        let mut report = PartitionReport {
            partition: self.partition,
            compared: 0,
            source: SideReport::default(),
            target: SideReport::default(),
            difference: None,
        };
        let mut recent = Recent(VecDeque::with_capacity(RECENT));
        let mut buffer = Vec::new();
        let mut position = self.source.start;
        let mut pass = |offset: i64| {
            passed.fetch_add(span(&(position..offset)), Ordering::Relaxed);
            position = offset;
        };

        loop {
            let (left, right) = (source.next()?, target.next()?);
            let Some(left) = left else {
                if let Some(right) = right {
                    self.extra_at_end(&mut report, &recent, &right, &mut target)?;
                }
                break;
            };
            let expected = expected(&left, mask, &mut buffer);
            let crc = checksum(&left, expected);
            report.source.add(size(&left, expected), crc);
            pass(left.offset() + 1);
            let Some(right) = right else {
                let first = Record::new(&left, expected);
                let tail = drain(&mut source, mask, &mut report.source, None, &mut pass)?;
                let what = What::Missing {
                    records: 1 + tail.records,
                };
                report.difference = Some(self.difference(report.compared, what, Some(first), None));
                break;
            };
            let Some(field) = difference(&left, expected, &right, timestamps) else {
                report.target.add(size(&right, right.payload()), crc);
                report.compared += 1;
                recent.push(crc, left.offset());
                continue;
            };

            let (left_record, right_record) =
                (Record::new(&left, expected), Record::new(&right, right.payload()));
            let right_crc = checksum(&right, right.payload());
            report.target.add(size(&right, right.payload()), right_crc);
            let in_source = drain(&mut source, mask, &mut report.source, Some(right_crc), &mut pass)?;
            let in_target = drain(&mut target, None, &mut report.target, Some(crc), &mut |_| {})?;
            let what = match (field, recent.find(right_crc), in_source.found, in_target.found) {
                (What::Timestamp, ..) => What::Timestamp,
                (_, Some(of), ..) => What::Duplicate { of },
                (_, _, Some(_), Some(_)) => What::Order,
                (_, _, Some(records), None) => What::Missing { records },
                (_, _, None, Some(records)) => What::Extra { records },
                (field, None, None, None) => field,
            };
            report.difference =
                Some(self.difference(report.compared, what, Some(left_record), Some(right_record)));
            break;
        }
        pass(self.source.end);
        Ok(report)
    }

    fn extra_at_end(
        &self,
        report: &mut PartitionReport,
        recent: &Recent,
        first: &BorrowedMessage<'_>,
        target: &mut Stream<'_>,
    ) -> Result<(), Error> {
        let crc = checksum(first, first.payload());
        report.target.add(size(first, first.payload()), crc);
        let record = Record::new(first, first.payload());
        let tail = drain(target, None, &mut report.target, None, &mut |_| {})?;
        let what = match recent.find(crc) {
            Some(of) => What::Duplicate { of },
            None => What::Extra {
                records: 1 + tail.records,
            },
        };
        report.difference = Some(self.difference(report.compared, what, None, Some(record)));
        Ok(())
    }

    fn difference(
        &self,
        index: u64,
        what: What,
        source: Option<Record>,
        target: Option<Record>,
    ) -> Difference {
        Difference {
            partition: self.partition,
            index,
            what,
            source,
            target,
        }
    }
}

// === impl Recent ===

impl Recent {
    fn push(&mut self, checksum: u32, offset: i64) {
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back((checksum, offset));
    }

    fn find(&self, checksum: u32) -> Option<Offset> {
        self.0
            .iter()
            .rev()
            .find(|(seen, _)| *seen == checksum)
            .map(|(_, offset)| Offset(*offset))
    }
}

/// What was in the rest of a stream.
struct Tail {
    records: u64,
    /// How many records on (from 1) the wanted one was found first.
    found: Option<u64>,
}

/// Counts a stream to its end, so that a report has both counts, and looks for one record in it.
fn drain(
    stream: &mut Stream<'_>,
    mask: Option<&Mask<'_>>,
    side: &mut SideReport,
    wanted: Option<u32>,
    pass: &mut dyn FnMut(i64),
) -> Result<Tail, Error> {
    let mut tail = Tail {
        records: 0,
        found: None,
    };
    let mut buffer = Vec::new();
    while let Some(message) = stream.next()? {
        let value = expected(&message, mask, &mut buffer);
        let crc = checksum(&message, value);
        side.add(size(&message, value), crc);
        tail.records += 1;
        if wanted == Some(crc) && tail.found.is_none() {
            tail.found = Some(tail.records);
        }
        pass(message.offset() + 1);
    }
    Ok(tail)
}

/// The value that the target must have.
fn expected<'m>(
    message: &'m BorrowedMessage<'_>,
    mask: Option<&Mask<'_>>,
    buffer: &'m mut Vec<u8>,
) -> Option<&'m [u8]> {
    match (message.payload(), mask) {
        (Some(value), Some(mask)) => {
            buffer.clear();
            mask(value, buffer);
            Some(buffer)
        }
        (value, _) => value,
    }
}

fn size(message: &BorrowedMessage<'_>, value: Option<&[u8]>) -> usize {
    message.key_len() + value.map_or(0, <[u8]>::len)
}

fn span(range: &Range<i64>) -> u64 {
    u64::try_from(range.end - range.start).unwrap_or(0)
}
