use bytes::Bytes;
use towpath_domain::Offset;
use towpath_wire::batch::{
    Batch, Compression, Encoder, Headers, ProducerIdentity, Record, SourceSpan, Transactional,
};

use super::stored::{bits, rewritten};

/// The end of a transaction, written to each partition that it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marker {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Abort,
    Commit,
}

// === impl Marker ===

impl Marker {
    /// A control batch of one record (`EndTransactionMarker`): key {version 0, type}, value {version 0, coordinator epoch}.
    pub(super) fn batch(&self, now_ms: i64) -> Batch {
        let kind: i16 = match self.outcome {
            Outcome::Abort => 0,
            Outcome::Commit => 1,
        };
        let key = [[0, 0], kind.to_be_bytes()].concat();
        let value = [&[0, 0][..], &self.coordinator_epoch.to_be_bytes()].concat();
        let record = Record {
            offset: Offset(0),
            timestamp: now_ms,
            key: Some(&key),
            value: Some(&value),
            headers: Headers::EMPTY,
        };
        let mut encoder = Encoder::new(Compression::None);
        let span = SourceSpan {
            first: Offset(0),
            next: Offset(1),
        };
        let encoded = encoder.push(&record).and_then(|()| encoder.finish(span));
        let mut outgoing = encoded.expect("one record of ten bytes fits into a batch");
        let producer = ProducerIdentity {
            id: self.producer_id,
            epoch: self.producer_epoch,
            transactional: Transactional::Yes,
        };
        outgoing.sign(producer, -1);
        let bytes = Bytes::from([outgoing.header().as_slice(), outgoing.body()].concat());
        let batch = Batch::new(bytes).expect("the encoder makes batches");
        rewritten(batch.bytes(), batch.attributes() | bits::CONTROL, &[])
    }
}
