use bytes::Bytes;
use towpath_domain::Offset;

use super::{Batch, Error, HEADER_SIZE, LOG_OVERHEAD, Legacy, at};

/// What a log consists of.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A batch of magic 2: since Kafka 0.11.
    Batch(Batch),
    /// A message of magic 0 or 1: still in logs that brokers have never rewritten.
    Legacy(Legacy),
}

/// The pieces of a record set, see [`batches`].
#[derive(Clone, Debug)]
pub struct Batches {
    records: Bytes,
    position: usize,
    partial: Option<usize>,
}

// === impl Piece ===

impl Piece {
    /// Where to fetch from next.
    pub fn next_offset(&self) -> Offset {
        match self {
            Self::Batch(batch) => batch.next_offset(),
            Self::Legacy(message) => Offset(message.offset().0 + 1),
        }
    }

    /// Bytes in the log.
    pub fn size(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.size(),
            Self::Legacy(message) => message.size(),
        }
    }

    /// See [`Batch::verify_crc`].
    pub fn verify_crc(&self) -> Result<(), Error> {
        match self {
            Self::Batch(batch) => batch.verify_crc(),
            Self::Legacy(message) => message.verify_crc(),
        }
    }
}

// === impl Batches ===

impl Batches {
    /// After the last piece: the size in bytes of the batch of which only a part came, when its length was still to be seen.
    /// A fetch that answers nothing but a part has a limit below this (brokers send a whole first batch since Fetch 3).
    pub fn partial(&self) -> Option<usize> {
        self.partial
    }

    fn piece(&mut self) -> Result<Option<Piece>, Error> {
        let rest = &self.records[self.position..];
        if rest.len() <= at::MAGIC {
            return Ok(None);
        }
        let position = self.position;
        let offset = Offset(number(rest, 0, 8));
        let length = number(rest, at::LENGTH, 4);
        let magic = rest[at::MAGIC];
        let least = match magic {
            0 | 1 => Legacy::least_size(magic),
            2 => HEADER_SIZE,
            _ => {
                return Err(Error::Magic {
                    position,
                    offset,
                    magic,
                });
            }
        };
        let size = match usize::try_from(length) {
            Ok(length) if length + LOG_OVERHEAD >= least => length + LOG_OVERHEAD,
            _ => {
                return Err(Error::Length {
                    position,
                    offset,
                    length,
                });
            }
        };
        if size > rest.len() {
            self.partial = Some(size);
            return Ok(None);
        }
        self.position += size;
        let bytes = self.records.slice(position..self.position);
        Ok(Some(match magic {
            2 => Piece::Batch(Batch::new(bytes)?),
            _ => Piece::Legacy(Legacy::new(bytes)?),
        }))
    }
}

impl Iterator for Batches {
    type Item = Result<Piece, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.piece().transpose();
        if !matches!(piece, Some(Ok(_))) {
            // Behind something malformed nothing can be told apart any more, and a partial piece is the last.
            self.position = self.records.len();
        }
        piece
    }
}

/// Cuts the records of a Fetch answer's partition into pieces, without copying. Brokers cut answers at a byte limit: a partial piece
/// at the end is left out in silence. Ends after the first error. The first piece may begin before the offset that was asked for.
pub fn batches(records: Bytes) -> Batches {
    Batches {
        records,
        position: 0,
        partial: None,
    }
}

/// A big-endian signed number of 4 or 8 bytes, known to be there.
fn number(bytes: &[u8], from: usize, size: usize) -> i64 {
    let sign = if bytes[from] & 0x80 == 0 { 0 } else { -1 };
    bytes[from..from + size]
        .iter()
        .fold(sign, |number, byte| (number << 8) | i64::from(*byte))
}
