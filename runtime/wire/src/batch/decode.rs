use bytes::Bytes;
use towpath_domain::Offset;

use super::{
    Batch, Compression, Error, Legacy, Records, SourceSpan, TimestampType,
    compression::{self, Fault},
    headers,
    legacy::Message,
    records::{Entry, Range},
    varint::Reader,
};

/// What decoding one batch may take, whatever the batch claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of decompressed records: no buffer for them is larger. Above 2 GiB - 1 it means 2 GiB - 1, which no batch exceeds.
    pub max_decompressed: usize,
    /// Records: each takes 40 bytes beside its data.
    pub max_records: usize,
}

/// A record of magic 2 takes no less: its length, attributes, two deltas, two lengths and the header count, a byte each.
const LEAST_RECORD: usize = 7;
/// A message of magic 0 takes no less.
const LEAST_MESSAGE: usize = 26;

// === impl Limits ===

impl Limits {
    /// 128 MiB and 2 million records: more than 100 times Kafka's default `max.message.bytes`.
    pub const DEFAULT: Self = Self {
        max_decompressed: 128 << 20,
        max_records: 2_000_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Decodes a batch whose CRC was verified, checking everything in it: a batch that decodes is sound to the last byte.
/// Control batches decode too.
pub fn decode(batch: &Batch, limits: &Limits) -> Result<Records, Error> {
    let base_offset = batch.base_offset();
    let claimed = usize::try_from(batch.record_count()).expect("checked when the view was made");
    if claimed > limits.max_records {
        return Err(Error::TooManyRecords {
            base_offset,
            count: claimed,
            limit: limits.max_records,
        });
    }
    let body = batch.body();
    // A batch that compaction has emptied keeps its codec, but nothing to decompress.
    let compression = if body.is_empty() {
        Compression::None
    } else {
        batch.compression()
    };
    let data = decompress(base_offset, compression, body, limits)?;

    let mut entries = Vec::with_capacity(claimed.min(data.len() / LEAST_RECORD));
    let mut reader = Reader::new(&data);
    let mut last_delta = -1;
    while !reader.is_at_end() {
        let index = entries.len();
        let malformed = |what| Error::Malformed {
            base_offset,
            index,
            what,
        };
        if index == claimed {
            return Err(malformed("it is more than the header's record count"));
        }
        let (offset_delta, timestamp_delta, entry) = record(&data, &mut reader).map_err(malformed)?;
        if offset_delta <= last_delta || offset_delta > batch.last_offset_delta() {
            return Err(malformed(
                "its offset is out of order or out of the batch's range",
            ));
        }
        last_delta = offset_delta;
        let timestamp = match batch.timestamp_type() {
            // Wraps as Java does.
            TimestampType::CreateTime => batch.base_timestamp().wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => batch.max_timestamp(),
        };
        entries.push(Entry {
            offset: base_offset.0 + i64::from(offset_delta),
            timestamp,
            ..entry
        });
    }
    if entries.len() != claimed {
        let what = "it is missing: the header's record count is larger";
        return Err(Error::Malformed {
            base_offset,
            index: entries.len(),
            what,
        });
    }
    Ok(Records::new(data, entries, batch.source(), batch.compression()))
}

/// Decodes a message of magic 0 or 1, or the messages inside a compressed one, whose CRCs it verifies.
pub fn decode_legacy(legacy: &Legacy, limits: &Limits) -> Result<Records, Error> {
    let outer = legacy.message();
    let base_offset = legacy.offset();
    let compression = legacy.compression();
    let span = |first| SourceSpan {
        first: Offset(first),
        next: Offset(outer.offset + 1),
    };
    if compression == Compression::None {
        let entry = outer.entry(outer.offset, outer.timestamp);
        return Ok(Records::new(
            legacy.bytes().clone(),
            vec![entry],
            span(outer.offset),
            compression,
        ));
    }
    let malformed = |index, what| Error::Malformed {
        base_offset,
        index,
        what,
    };
    let value = outer
        .value
        .of(legacy.bytes())
        .ok_or(malformed(0, "a compressed set without a value"))?;
    let data = decompress(base_offset, compression, legacy.bytes().slice_ref(value), limits)?;

    let mut messages = Vec::with_capacity(limits.max_records.min(data.len() / LEAST_MESSAGE));
    let mut end = 0;
    while end < data.len() {
        let index = messages.len();
        let message = Message::read(&data, end).map_err(|what| malformed(index, what))?;
        if index == limits.max_records {
            return Err(Error::TooManyRecords {
                base_offset,
                count: index + 1,
                limit: limits.max_records,
            });
        }
        if message.magic != outer.magic || message.is_compressed() {
            return Err(malformed(
                index,
                "of another magic than its set, or compressed again",
            ));
        }
        message.verify_crc(&data)?;
        let timestamp = match outer.timestamp_type() {
            TimestampType::CreateTime => message.timestamp,
            TimestampType::LogAppendTime => outer.timestamp,
        };
        end = message.end;
        messages.push(message.entry(message.offset, timestamp));
    }
    let last = messages
        .last()
        .ok_or(malformed(0, "a compressed set without messages"))?
        .offset;
    // An outer offset of 0 is what old versions of librdkafka have written (`AbstractLegacyRecordBatch`).
    let base = if outer.magic == 0 || outer.offset == 0 {
        0
    } else {
        outer.offset - last
    };
    let mut next = 0;
    for (index, entry) in messages.iter_mut().enumerate() {
        entry.offset = base.saturating_add(entry.offset);
        if base < 0 || entry.offset < next || entry.offset == i64::MAX {
            return Err(malformed(
                index,
                "its offset is out of order or out of the set's range",
            ));
        }
        next = entry.offset + 1;
    }
    let source = SourceSpan {
        first: Offset(messages[0].offset),
        next: Offset(next.max(outer.offset + 1)),
    };
    Ok(Records::new(data, messages, source, compression))
}

fn decompress(base_offset: Offset, codec: Compression, body: Bytes, limits: &Limits) -> Result<Bytes, Error> {
    if codec == Compression::None {
        return Ok(body);
    }
    let limit = limits.max_decompressed.min(i32::MAX as usize);
    match compression::decompress(codec, &body, limit) {
        Ok(data) => Ok(Bytes::from(data)),
        Err(Fault::TooLarge) => Err(Error::TooLarge { base_offset, limit }),
        Err(Fault::Corrupt(reason)) => Err(Error::Decompress {
            base_offset,
            codec,
            reason,
        }),
    }
}

/// One record (`DefaultRecord` of Apache Kafka): offset delta, timestamp delta, and where the rest is.
fn record(data: &[u8], reader: &mut Reader<'_>) -> Result<(i32, i64, Entry), &'static str> {
    let length = usize::try_from(reader.varint().ok_or("no length")?).map_err(|_| "negative length")?;
    let start = reader.position();
    reader.take(length).ok_or("its length reaches behind the end")?;
    let end = start + length;

    let mut reader = Reader::starting_at(&data[..end], start);
    // Attributes: unused, whatever they are.
    reader.byte().ok_or("no attributes")?;
    let timestamp = reader.varlong().ok_or("no timestamp")?;
    let offset = reader.varint().ok_or("no offset")?;
    let key = range(&mut reader).ok_or("its key does not fit")?;
    let value = range(&mut reader).ok_or("its value does not fit")?;
    let from = reader.position();
    headers::skip(&mut reader)?;
    if !reader.is_at_end() {
        return Err("its length is not that of its fields");
    }
    Ok((
        offset,
        timestamp,
        Entry {
            offset: 0,
            timestamp: 0,
            key,
            value,
            headers: Range::new(from, end),
        },
    ))
}

fn range(reader: &mut Reader<'_>) -> Option<Range> {
    let bytes = reader.nullable()?;
    let end = reader.position();
    Some(bytes.map_or(Range::NULL, |bytes| Range::new(end - bytes.len(), end)))
}
