//! Offsets without a record in what a log has: taken away by compaction, since markers are read as well.

use towpath_domain::Offset;
use towpath_wire::batch::{self, Piece};

use super::LIMITS;

/// The first offset from `from` on, and before the end of this piece, that has no record. Only where a header says that some are missing are records decoded.
pub(crate) fn first_hole(piece: &Piece, from: Offset) -> Result<Option<Offset>, batch::Error> {
    let records = match piece {
        Piece::Batch(batch) if batch.base_offset() > from => return Ok(Some(from)),
        Piece::Batch(batch) if batch.is_control() => return Ok(None),
        Piece::Batch(batch)
            if i64::from(batch.last_offset_delta()) + 1 == i64::from(batch.record_count()) =>
        {
            return Ok(None);
        }
        Piece::Batch(batch) if batch.record_count() == 0 => {
            return Ok((from < batch.next_offset()).then_some(from));
        }
        Piece::Batch(batch) => batch::decode(batch, &LIMITS)?,
        Piece::Legacy(message) => batch::decode_legacy(message, &LIMITS)?,
    };
    let mut next = from;
    for record in records.iter().filter(|record| record.offset >= from) {
        if record.offset > next {
            return Ok(Some(next));
        }
        next = Offset(record.offset.0 + 1);
    }
    Ok((next < piece.next_offset()).then_some(next))
}
