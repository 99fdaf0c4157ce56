use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{ApiVersionsResponse, FetchResponse, MetadataResponse, ProduceResponse};

use super::*;

/// A Fetch answer of one partition, session 77,000,000: as version 12 writes it, or as version 11 does.
fn fetched(flexible: bool, records: usize) -> Bytes {
    let mut answer = BytesMut::new();
    answer.put_i32(1);
    if flexible {
        answer.put_u8(0);
    }
    answer.put_i32(3_000_000);
    answer.put_i16(0);
    answer.put_i32(77_000_000);
    count(&mut answer, flexible, 1);
    if flexible {
        answer.put_u8(2);
    } else {
        answer.put_i16(1);
    }
    answer.put_slice(b"t");
    count(&mut answer, flexible, 1);
    answer.put_i32(300_000);
    answer.put_i16(0);
    for offset in [9, 9, 0] {
        answer.put_i64(offset);
    }
    count(&mut answer, flexible, 0);
    answer.put_i32(-1);
    count(&mut answer, flexible, records);
    answer.put_bytes(b'r', records);
    if flexible {
        answer.put_slice(&[0, 0, 0]);
    }
    answer.freeze()
}

/// The length of an array, or of bytes.
fn count(answer: &mut BytesMut, flexible: bool, count: usize) {
    if !flexible {
        answer.put_i32(count as i32);
        return;
    }
    let mut rest = count as u32 + 1;
    while rest >= 0x80 {
        answer.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    answer.put_u8(rest as u8);
}

/// A Metadata answer that claims so many brokers, and has as many as are said.
fn brokers(flexible: bool, claimed: usize, there: usize) -> Result<usize, String> {
    let mut answer = BytesMut::new();
    answer.put_i32(1);
    if flexible {
        answer.put_u8(0);
    }
    answer.put_i32(0);
    count(&mut answer, flexible, claimed);
    // Node, host, port, rack; then cluster, controller and topics.
    let (broker, end): (&[u8], &[u8]) = match flexible {
        true => (
            &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        ),
        false => (&[0; 12], &[0; 10]),
    };
    answer.put_slice(&broker.repeat(there));
    answer.put_slice(end);
    let answer: MetadataResponse = decode(answer.freeze(), if flexible { 9 } else { 4 })?;
    Ok(answer.brokers.len())
}

#[test]
fn records_and_numbers_of_any_size_arrive_as_they_are() {
    for flexible in [false, true] {
        let around = [MOST_ITEMS - 1, MOST_ITEMS, MOST_ITEMS + 1, MOST_ITEMS + 2];
        for records in around.into_iter().chain([0, 1, 127, 128, 5_000_000]) {
            let answer: FetchResponse =
                decode(fetched(flexible, records), if flexible { 12 } else { 11 }).unwrap();
            assert_eq!(answer.throttle_time_ms, 3_000_000, "{flexible} {records}");
            assert_eq!(answer.session_id, 77_000_000, "{flexible} {records}");
            let partition = &answer.responses[0].partitions[0];
            assert_eq!(partition.partition_index, 300_000, "{flexible} {records}");
            let found = partition.records.as_ref().unwrap();
            assert_eq!(found.len(), records, "{flexible}");
            assert!(found.iter().all(|byte| *byte == b'r'), "{flexible} {records}");
        }
    }
}

#[test]
fn an_array_may_not_claim_more_items_than_bytes_are_left() {
    for flexible in [false, true] {
        assert_eq!(brokers(flexible, 200, 200), Ok(200));
        for (claimed, there) in [(300, 20), (100_000, 8_000), (i32::MAX as usize, 2)] {
            let error = brokers(flexible, claimed, there).unwrap_err();
            assert!(error.contains("cannot be decoded"), "{flexible}: {error}");
        }
    }
}

#[test]
fn an_array_may_not_have_more_items_than_any_cluster_has() {
    for flexible in [false, true] {
        assert_eq!(brokers(flexible, MOST_ITEMS, MOST_ITEMS), Ok(MOST_ITEMS));
        for many in [MOST_ITEMS + 1, MOST_ITEMS + 2, 3_000_000] {
            assert!(brokers(flexible, many, many).is_err(), "{flexible} {many}");
        }
    }
}

#[test]
fn a_broker_cannot_have_an_answer_decoded_over_and_over() {
    // Topic after topic with partition numbers that look like lengths.
    let mut answer = BytesMut::new();
    answer.put_i32(1);
    answer.put_i32(1);
    answer.put_slice(b"\0\x01t");
    answer.put_i32(40_000);
    for _ in 0..40_000 {
        answer.put_i32(MOST_ITEMS as i32 + 1);
        answer.put_i16(0);
        answer.put_slice(&[0; 24]);
    }
    answer.put_i32(0);
    let error = decode::<ProduceResponse>(answer.freeze(), 5).unwrap_err();
    assert!(error.contains("cannot be decoded"), "{error}");
}

#[test]
fn what_looks_like_a_length_and_is_none_hides_no_length() {
    // `is_internal` as 0x80 and more, which a decoder takes for true, in front of a count of 2^32 - 1.
    for lie in 0..5 {
        let mut answer = BytesMut::new();
        answer.put_i32(1);
        answer.put_u8(0);
        answer.put_i32(0);
        answer.put_slice(&[1, 0]);
        answer.put_i32(-1);
        answer.put_u8(2);
        answer.put_i16(0);
        answer.put_slice(b"\x02t");
        answer.put_u8(if lie == 0 { 1 } else { 0x80 | lie });
        answer.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        answer.put_bytes(0, 40);
        assert!(decode::<MetadataResponse>(answer.freeze(), 9).is_err(), "{lie}");
    }
}

#[test]
fn an_answer_that_is_too_short_is_an_error_at_every_byte() {
    for flexible in [false, true] {
        let whole = fetched(flexible, 300);
        let version = if flexible { 12 } else { 11 };
        for length in 0..whole.len() {
            assert!(
                decode::<FetchResponse>(whole.slice(..length), version).is_err(),
                "{flexible} {length}"
            );
        }
    }
    assert!(decode::<ApiVersionsResponse>(Bytes::new(), 3).is_err());
}
