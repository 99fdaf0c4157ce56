use bytes::Bytes;
use towpath_domain::Offset;

use super::{Batch, Compression, Error, HEADER_SIZE, LOG_OVERHEAD, SourceSpan, at, bits};

/// A batch to be produced. To be signed before it is sent, and again before it is sent with another sequence.
#[derive(Clone, Debug)]
pub struct Outgoing {
    header: [u8; HEADER_SIZE],
    body: Bytes,
    source: SourceSpan,
    starts: Vec<Start>,
}

/// From the record of this index on, the records of a batch stand for source offsets one after another from this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub index: i32,
    pub source: Offset,
}

/// Who produces, as InitProducerId answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdentity {
    pub id: i64,
    pub epoch: i16,
    pub transactional: Transactional,
}

/// Whether the producer writes in transactions. A batch of one without the bit is taken by brokers without an error, outside of the
/// transaction: atomicity would be lost in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transactional {
    No,
    Yes,
}

// === impl Outgoing ===

impl Outgoing {
    /// A source batch under a new header; its records are neither looked at nor copied. Only for batches whose CRC was verified and whose
    /// [`Way`](super::Way) is `Copy`. The base timestamp stays: where the source's cleaner has put its delete horizon there, the records' deltas count from it (KIP-534).
    pub fn pass_through(batch: &Batch) -> Self {
        let mut outgoing = Self {
            header: batch.array(0),
            body: batch.body(),
            source: batch.source(),
            starts: Vec::new(),
        };
        outgoing.put(0, 0_i64.to_be_bytes());
        outgoing.put(at::LEADER_EPOCH, (-1_i32).to_be_bytes());
        let cleared = bits::LOG_APPEND_TIME | bits::TRANSACTIONAL | bits::DELETE_HORIZON;
        outgoing.put(at::ATTRIBUTES, (batch.attributes() & !cleared).to_be_bytes());
        outgoing.put_producer(ProducerIdentity::NONE, -1);
        outgoing
    }

    /// A batch of `records` encoded records with contiguous offsets.
    pub(super) fn encoded(
        compression: Compression,
        body: Vec<u8>,
        records: i32,
        (base_timestamp, max_timestamp): (i64, i64),
        (source, starts): (SourceSpan, Vec<Start>),
    ) -> Result<Self, Error> {
        let size = body.len() + HEADER_SIZE;
        let length = i32::try_from(size - LOG_OVERHEAD).map_err(|_| Error::RecordTooLarge {
            offset: source.first,
            size,
            limit: i32::MAX as usize,
        })?;
        let mut outgoing = Self {
            header: [0; HEADER_SIZE],
            body: Bytes::from(body),
            source,
            starts,
        };
        outgoing.put(at::LENGTH, length.to_be_bytes());
        outgoing.put(at::LEADER_EPOCH, (-1_i32).to_be_bytes());
        outgoing.put(at::MAGIC, [2]);
        outgoing.put(at::ATTRIBUTES, compression.id().to_be_bytes());
        outgoing.put(at::LAST_OFFSET_DELTA, (records - 1).to_be_bytes());
        outgoing.put(at::BASE_TIMESTAMP, base_timestamp.to_be_bytes());
        outgoing.put(at::MAX_TIMESTAMP, max_timestamp.to_be_bytes());
        outgoing.put(at::RECORD_COUNT, records.to_be_bytes());
        outgoing.put_producer(ProducerIdentity::NONE, -1);
        Ok(outgoing)
    }

    /// Writes the producer and its sequence (of the first record, -1 without an identity) and computes the CRC.
    pub fn sign(&mut self, producer: ProducerIdentity, base_sequence: i32) {
        self.put_producer(producer, base_sequence);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&self.header[at::ATTRIBUTES..]), &self.body);
        self.put(at::CRC, crc.to_be_bytes());
    }

    /// The same batch, standing for as many source offsets from another one on.
    #[must_use]
    pub fn moved_to(&self, first: Offset) -> Self {
        Self {
            source: SourceSpan {
                first,
                next: Offset(first.0 + i64::from(self.records())),
            },
            starts: Vec::new(),
            ..self.clone()
        }
    }

    /// Lets go of the fetch answer that it was cut from: its bytes are its own from here on.
    pub fn detach(&mut self) {
        self.body = Bytes::copy_from_slice(&self.body);
    }

    /// How many records it has: what the next sequence is further by.
    pub fn records(&self) -> i32 {
        let count = self.header[at::RECORD_COUNT..]
            .first_chunk()
            .expect("the count ends the header");
        i32::from_be_bytes(*count)
    }

    /// The source offsets it stands for.
    pub fn source(&self) -> SourceSpan {
        self.source
    }

    /// Which source offsets its records stand for, by where they do not follow each other; an index behind the last record is of what follows the batch.
    /// Empty when they do from the first of [`Outgoing::source`] on.
    /// Whoever asks takes them along: they are not copied with the batch when it is sent.
    pub fn take_starts(&mut self) -> Vec<Start> {
        std::mem::take(&mut self.starts)
    }

    /// As [`Outgoing::take_starts`], and they stay.
    pub fn starts(&self) -> &[Start] {
        &self.starts
    }

    /// The largest timestamp of its records, ms; -1 when they have none.
    pub fn max_timestamp(&self) -> i64 {
        let timestamp = self.header[at::MAX_TIMESTAMP..]
            .first_chunk()
            .expect("the header goes on behind the timestamp");
        i64::from_be_bytes(*timestamp)
    }

    /// The first bytes of the batch on the wire.
    pub fn header(&self) -> &[u8; HEADER_SIZE] {
        &self.header
    }

    /// The bytes behind the header: of a passed-through batch, the source's own.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Bytes on the wire.
    pub fn size(&self) -> usize {
        HEADER_SIZE + self.body.len()
    }

    /// Leaves a CRC behind that no broker takes: a batch that nobody has signed must not get into a log.
    fn put_producer(&mut self, producer: ProducerIdentity, base_sequence: i32) {
        let attributes = i16::from_be_bytes([self.header[at::ATTRIBUTES], self.header[at::ATTRIBUTES + 1]]);
        let attributes = match producer.transactional {
            Transactional::No => attributes & !bits::TRANSACTIONAL,
            Transactional::Yes => attributes | bits::TRANSACTIONAL,
        };
        self.put(at::ATTRIBUTES, attributes.to_be_bytes());
        self.put(at::PRODUCER_ID, producer.id.to_be_bytes());
        self.put(at::PRODUCER_EPOCH, producer.epoch.to_be_bytes());
        self.put(at::BASE_SEQUENCE, base_sequence.to_be_bytes());
        self.put(at::CRC, [0; 4]);
    }

    fn put<const N: usize>(&mut self, from: usize, bytes: [u8; N]) {
        self.header[from..from + N].copy_from_slice(&bytes);
    }
}

// === impl ProducerIdentity ===

impl ProducerIdentity {
    /// A producer that is not idempotent; its sequence is -1.
    pub const NONE: Self = Self {
        id: -1,
        epoch: -1,
        transactional: Transactional::No,
    };
}

/// The sequence after `records` records from `sequence` on: from 2^31 - 1 it goes on at 0 (`DefaultRecordBatch.incrementSequence`).
pub fn next_sequence(sequence: i32, records: i32) -> i32 {
    ((i64::from(sequence) + i64::from(records)) & i64::from(i32::MAX)) as i32
}
