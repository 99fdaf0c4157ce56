use towpath_domain::Offset;

use super::{
    Compression, Error, HEADER_SIZE, Outgoing, Record, SourceSpan, Start,
    compression::{Compressor, Fault},
    varint,
};

/// Makes batches out of records, one after the other, all with one codec; its buffers are used again, so keep it as long as a task.
pub struct Encoder {
    compression: Compression,
    compressor: Compressor,
    /// The records pushed so far.
    buffer: Vec<u8>,
    records: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    /// see [`Outgoing::starts`]
    starts: Vec<Start>,
    last: Option<Offset>,
}

// === impl Encoder ===

impl Encoder {
    /// Encode with the codec of the batch the records came from, unless the target's operator wants another.
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            compressor: Compressor::new(compression),
            buffer: Vec::new(),
            records: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            starts: Vec::new(),
            last: None,
        }
    }

    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Appends a record to the batch being made. Its offset becomes the next of the batch; the record's own is used for errors only.
    /// Fails, and changes nothing, when the batch would not fit its 32-bit length.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), Error> {
        self.push_at(self.records, record)
    }

    /// Appends a record with a given offset delta, larger than the one before: a batch with holes, as compaction leaves them. The header's
    /// last offset delta is the caller's to write.
    pub fn push_at(&mut self, offset_delta: i32, record: &Record<'_>) -> Result<(), Error> {
        if self.records == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        // Wraps as Java does, and back when it is read.
        let timestamp_delta = record.timestamp.wrapping_sub(self.base_timestamp);
        let fields = 1
            + varint::size(timestamp_delta)
            + varint::size(i64::from(offset_delta))
            + nullable_size(record.key)
            + nullable_size(record.value)
            + record.headers.raw().len();
        let size = self.size_estimate() + varint::size(fields as i64) + fields;
        if size > i32::MAX as usize {
            return Err(Error::RecordTooLarge {
                offset: record.offset,
                size,
                limit: i32::MAX as usize,
            });
        }
        let out = &mut self.buffer;
        out.reserve(fields + varint::MAX_VARINT);
        varint::write_varlong(out, fields as i64);
        out.push(0);
        varint::write_varlong(out, timestamp_delta);
        varint::write_varint(out, offset_delta);
        write_nullable(out, record.key);
        write_nullable(out, record.value);
        out.extend_from_slice(record.headers.raw());
        self.note(record.offset);
        self.records += 1;
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        Ok(())
    }

    /// Of several records of one source offset the first stands for it; behind the last of them it goes on with the next offset.
    fn note(&mut self, source: Offset) {
        if self.last == Some(source) {
            return;
        }
        let index = self.records;
        let follows = |start: &Start| source.0 - start.source.0 == i64::from(index - start.index);
        if !self.starts.last().is_some_and(follows) {
            self.starts.push(Start { index, source });
        }
        self.last = Some(source);
    }

    /// The starts of a batch that is done.
    fn take_starts(&mut self, records: i32) -> Vec<Start> {
        if let Some(last) = self.last.take() {
            // Says where it goes on when the last offset has several records.
            self.records = records;
            self.note(Offset(last.0.saturating_add(1)));
            self.records = 0;
            self.last = None;
        }
        std::mem::take(&mut self.starts)
    }

    /// Records pushed since the last batch.
    pub fn len(&self) -> usize {
        self.records as usize
    }

    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes the batch has without compression; with it, rarely more than that.
    pub fn size_estimate(&self) -> usize {
        HEADER_SIZE + self.buffer.len()
    }

    /// The batch of what was pushed, with create time and standing for `source`; the encoder is ready for the next one, also after an error.
    pub fn finish(&mut self, source: SourceSpan) -> Result<Outgoing, Error> {
        let records = std::mem::take(&mut self.records);
        let starts = self.take_starts(records);
        if records == 0 {
            return Err(Error::NoRecords);
        }
        let body = self.compressor.compress(&mut self.buffer);
        self.buffer.clear();
        let body = body.map_err(|fault| Error::Compress {
            codec: self.compression,
            reason: match fault {
                Fault::TooLarge => "too large".to_owned(),
                Fault::Corrupt(reason) => reason,
            },
        })?;
        let timestamps = (self.base_timestamp, self.max_timestamp);
        Outgoing::encoded(self.compression, body, records, timestamps, (source, starts))
    }

    /// Batches of `records`, in order, none above `max_bytes` (the target's `max.message.bytes`, header included) as it is really encoded:
    /// what is too large is halved and tried again. The spans partition `source`, whatever offsets are missing among the records; of several
    /// records of one source offset that land in two batches, only the last one's batch counts as having passed it. No records, no batches:
    /// then `source` is passed by nothing, and the caller goes on behind it.
    pub fn encode_split<'a>(
        &mut self,
        records: impl IntoIterator<Item = Record<'a>>,
        source: SourceSpan,
        max_bytes: usize,
    ) -> Result<Vec<Outgoing>, Error> {
        self.buffer.clear();
        self.records = 0;
        self.starts.clear();
        self.last = None;
        let records: Vec<Record<'a>> = records.into_iter().collect();
        let mut batches = Vec::new();
        let mut first = source.first;
        let mut pending = vec![records.as_slice()];
        while let Some(part) = pending.pop() {
            let Some(last) = part.last() else { continue };
            for record in part {
                self.push(record)?;
            }
            let next = match pending.last().and_then(|part| part.first()) {
                Some(following) => Offset(following.offset.0.min(last.offset.0.saturating_add(1))),
                None => source.next,
            };
            let next = next.max(first).min(source.next);
            let batch = self.finish(SourceSpan { first, next })?;
            if batch.size() <= max_bytes {
                first = next;
                batches.push(batch);
            } else if let [record] = part {
                return Err(Error::RecordTooLarge {
                    offset: record.offset,
                    size: batch.size(),
                    limit: max_bytes,
                });
            } else {
                let (left, right) = part.split_at(part.len() / 2);
                pending.push(right);
                pending.push(left);
            }
        }
        Ok(batches)
    }
}

fn nullable_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::size(bytes.len() as i64) + bytes.len())
}

fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            varint::write_varlong(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
        None => out.push(1),
    }
}
