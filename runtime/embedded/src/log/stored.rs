use bytes::{BufMut, Bytes, BytesMut};
use towpath_wire::batch::Batch;

/// A batch in a log.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// As it came: its base offset and leader epoch are not those below.
    pub(crate) batch: Batch,
    pub(crate) base_offset: i64,
    pub(crate) leader_epoch: i32,
    /// Bytes before it in the log.
    pub(crate) position: u64,
}

/// Where the fields of a batch are that a broker writes (see `towpath_wire::batch`).
pub(super) mod at {
    pub(crate) const LEADER_EPOCH: usize = 12;
    pub(crate) const CRC: usize = 17;
    pub(crate) const ATTRIBUTES: usize = 21;
    pub(crate) const LAST_OFFSET_DELTA: usize = 23;
    pub(crate) const MAX_TIMESTAMP: usize = 35;
}

/// Bits of the attributes.
pub(super) mod bits {
    pub(crate) const LOG_APPEND_TIME: i16 = 1 << 3;
    pub(crate) const CONTROL: i16 = 1 << 5;
}

// === impl Stored ===

impl Stored {
    pub(crate) fn new(batch: Batch, base_offset: i64, leader_epoch: i32, position: u64) -> Self {
        Self {
            batch,
            base_offset,
            leader_epoch,
            position,
        }
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.batch.last_offset_delta())
    }

    /// The bytes that a consumer gets, cut where `out` reaches `limit`.
    pub(crate) fn write_to(&self, out: &mut BytesMut, limit: usize) {
        let from = out.len();
        let room = limit.saturating_sub(from).min(self.batch.size());
        out.put_slice(&self.batch.bytes()[..room]);
        let mut patch = |at: usize, field: &[u8]| {
            let end = (at + field.len()).min(room);
            if at < end {
                out[from + at..from + end].copy_from_slice(&field[..end - at]);
            }
        };
        patch(0, &self.base_offset.to_be_bytes());
        patch(at::LEADER_EPOCH, &self.leader_epoch.to_be_bytes());
    }

    /// As a consumer gets it.
    pub(crate) fn bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.batch.size());
        self.write_to(&mut out, usize::MAX);
        out.freeze()
    }
}

/// A copy of a batch with other bits and fields of its header, and a checksum that is right again.
pub(super) fn rewritten(batch: &[u8], attributes: i16, fields: &[(usize, &[u8])]) -> Batch {
    let mut bytes = batch.to_vec();
    bytes[at::ATTRIBUTES..at::ATTRIBUTES + 2].copy_from_slice(&attributes.to_be_bytes());
    for (at, field) in fields {
        bytes[*at..*at + field.len()].copy_from_slice(field);
    }
    let crc = crc32c::crc32c(&bytes[at::ATTRIBUTES..]);
    bytes[at::CRC..at::CRC + 4].copy_from_slice(&crc.to_be_bytes());
    Batch::new(bytes.into()).expect("only fields that a batch may have were written over those of a batch")
}
