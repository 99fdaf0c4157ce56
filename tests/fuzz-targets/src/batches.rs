use bytes::Bytes;
use towpath_wire::batch::{self, Outgoing, Piece, Target, TimestampType, Way, decode, decode_legacy};

use crate::{LIMITS, sound};

/// A byte of the attributes' second half, and where it is.
const ATTRIBUTES: usize = 22;
const TARGETS: [Target; 2] = [
    Target {
        timestamp_type: TimestampType::CreateTime,
        max_message_bytes: 200,
    },
    Target {
        timestamp_type: TimestampType::LogAppendTime,
        max_message_bytes: usize::MAX,
    },
];

/// The records of a Fetch answer: cut, looked at, copied or decoded and written anew. Once as they are, once with checksums made right.
pub fn batches(data: &[u8]) {
    look(Bytes::copy_from_slice(data), data.len());
    look(Bytes::from(repair(data)), data.len());
}

/// Makes the checksums of all whole batches right, so that not they alone are attacked.
pub fn repair(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    let mut start = 0;
    for piece in batch::batches(Bytes::copy_from_slice(data)) {
        let Ok(piece) = piece else { break };
        let end = start + piece.size();
        match piece {
            Piece::Batch(_) => {
                let crc = crc32c::crc32c(&bytes[start + 21..end]);
                bytes[start + 17..start + 21].copy_from_slice(&crc.to_be_bytes());
            }
            Piece::Legacy(_) => {
                let mut crc = flate2::Crc::new();
                crc.update(&bytes[start + 16..end]);
                bytes[start + 12..start + 16].copy_from_slice(&crc.sum().to_be_bytes());
            }
        }
        start = end;
    }
    bytes
}

fn look(records: Bytes, size: usize) {
    let mut pieces = batch::batches(records);
    let mut end = 0;
    for piece in pieces.by_ref() {
        let Ok(piece) = piece else { continue };
        end += piece.size();
        assert!(end <= size, "it reaches behind the end");
        if piece.verify_crc().is_err() {
            continue;
        }
        match piece {
            Piece::Batch(batch) => {
                assert!(batch.next_offset() > batch.base_offset());
                for target in &TARGETS {
                    if Way::of(&batch, target) == Way::Copy {
                        copied(&batch);
                    }
                }
                if let Ok(records) = decode(&batch, &LIMITS) {
                    assert_eq!(records.len(), batch.record_count() as usize);
                    sound::records(&records);
                    sound::written_anew(&records, 200);
                    sound::written_anew(&records, usize::MAX);
                }
            }
            Piece::Legacy(message) => {
                if let Ok(records) = decode_legacy(&message, &LIMITS) {
                    sound::records(&records);
                    sound::written_anew(&records, usize::MAX);
                }
            }
        }
    }
    assert!(pieces.next().is_none());
    assert!(pieces.partial().is_none_or(|partial| partial > size - end));
}

/// Nothing is different but what a producer must not send.
fn copied(batch: &batch::Batch) {
    let outgoing = Outgoing::pass_through(batch);
    assert_eq!(outgoing.source(), batch.source());
    let written = sound::produced(&outgoing);
    assert_eq!(written.body(), batch.body());
    assert_eq!(written.compression(), batch.compression());
    assert_eq!(
        (
            written.base_timestamp(),
            written.max_timestamp(),
            written.record_count()
        ),
        (
            batch.base_timestamp(),
            batch.max_timestamp(),
            batch.record_count()
        )
    );
    let cleared = 0b0101_1000;
    assert_eq!(
        written.bytes()[ATTRIBUTES],
        batch.bytes()[ATTRIBUTES] & !cleared,
        "the codec stays, and what has no meaning yet"
    );
}
