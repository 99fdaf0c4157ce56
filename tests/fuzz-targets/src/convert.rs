use bytes::Bytes;
use towpath_domain::{Offset, state::PartitionState};
use towpath_mirror::fuzzing;
use towpath_wire::{
    AbortedTransaction,
    batch::{Target, TimestampType},
};

use crate::{batches::repair, sound};

/// The records of a Fetch answer on their way to the target, checksums made right. In front of them: the offset that was asked for, the target's
/// limit and timestamp type, and an aborted transaction. What leaves is in order, once, and what a broker takes.
pub fn convert(data: &[u8]) {
    let Some((head, records)) = data.split_first_chunk::<8>() else {
        return;
    };
    let from = Offset(i64::from(u16::from_be_bytes([head[0], head[1]])));
    let target = Target {
        timestamp_type: match head[2] & 1 {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        },
        max_message_bytes: usize::from(u16::from_be_bytes([head[3], head[4]])).max(62),
    };
    let aborted = AbortedTransaction {
        producer_id: i64::from(head[5]),
        first_offset: Offset(i64::from(u16::from_be_bytes([head[6], head[7]]))),
    };
    let records = Bytes::from(repair(records));
    let (batches, next, stop) = fuzzing::converted(records, from, vec![aborted], target);
    let mut at = from;
    for outgoing in &batches {
        let span = outgoing.source();
        assert!(
            span.first >= at,
            "{span:?} begins before {at}: it is read twice or out of order"
        );
        assert!(span.next >= span.first);
        at = span.next;
        assert!(outgoing.size() <= target.max_message_bytes);
        sound::produced(outgoing);
    }
    assert!(next >= at, "to go on at {next} after {at} doubles records");
    assert_ne!(stop, Some(PartitionState::Mirroring));
}
