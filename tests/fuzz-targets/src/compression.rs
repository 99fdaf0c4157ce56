use bytes::Bytes;
use towpath_wire::batch::{Batch, Legacy, decode, decode_legacy};

use crate::{LIMITS, sound};

/// The compressed block of a batch, behind a byte for its codec and format and four for the record count: what it claims never decides how much
/// is allocated (libFuzzer's `-malloc_limit_mb`, and the replay's allocator).
pub fn compression(data: &[u8]) {
    let Some(([choice, count @ ..], body)) = data.split_first_chunk::<5>() else {
        return;
    };
    let codec = choice & 0b111;
    match choice >> 3 {
        magic @ (0 | 1) => legacy(magic, codec, body),
        _ => batch(codec, i32::from_be_bytes(*count), body),
    }
}

fn batch(codec: u8, count: i32, body: &[u8]) {
    let mut bytes = vec![0; 61];
    bytes[8..12].copy_from_slice(&(body.len() as i32 + 49).to_be_bytes());
    bytes[16] = 2;
    bytes[22] = codec;
    bytes[23..27].copy_from_slice(&count.wrapping_sub(1).to_be_bytes());
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(body);
    let Ok(batch) = Batch::new(Bytes::from(bytes)) else {
        return;
    };
    let Ok(records) = decode(&batch, &LIMITS) else {
        return;
    };
    // Uncompressed records share what they came in.
    assert!(records.memory() <= LIMITS.max_decompressed.max(body.len()) + 40 * LIMITS.max_records);
    sound::records(&records);
}

fn legacy(magic: u8, codec: u8, body: &[u8]) {
    let mut content = vec![magic, codec];
    if magic == 1 {
        content.extend(5_i64.to_be_bytes());
    }
    content.extend((-1_i32).to_be_bytes());
    content.extend((body.len() as i32).to_be_bytes());
    content.extend_from_slice(body);
    let mut bytes = 100_i64.to_be_bytes().to_vec();
    bytes.extend((content.len() as i32 + 4).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(content);
    let Ok(message) = Legacy::new(Bytes::from(bytes)) else {
        return;
    };
    if let Ok(records) = decode_legacy(&message, &LIMITS) {
        sound::records(&records);
    }
}
