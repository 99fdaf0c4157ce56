use super::{
    super::tests::{batch, part, request},
    *,
};
use crate::batch::Outgoing;

fn encoded(request: &ProduceRequest, version: i16) -> Result<Frame, Error> {
    encode(BytesMut::from(&[0; 14][..]), request, version)
}

fn with_length(mut frame: BytesMut) -> BytesMut {
    let length = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

fn assert_written(frame: &Frame, expected: BytesMut, bodies: [&Outgoing; 3]) {
    let (head, rest) = frame.parts();
    assert_eq!([head, &rest.concat()[..]].concat(), with_length(expected));
    let there: Vec<*const u8> = rest.iter().step_by(2).map(|segment| segment.as_ptr()).collect();
    assert_eq!(there[..3], bodies.map(|batch| batch.body().as_ptr()));
}

#[test]
fn bodies_are_segments_of_their_own_and_not_copied() {
    let (a, b, c) = (batch(b"a"), batch(&[b'b'; 300]), batch(b"c"));
    let request = request(vec![
        part("orders", 2, &a),
        part("bills", 0, &b),
        part("orders", 1, &c),
    ]);
    let mut expected = BytesMut::from(&[0; 14][..]);
    expected.put_i16(-1);
    expected.put_i16(-1);
    expected.put_i32(10_000);
    expected.put_i32(2);
    for (topic, batches) in [("bills", vec![(0, &b)]), ("orders", vec![(1, &c), (2, &a)])] {
        expected.put_i16(topic.len() as i16);
        expected.put_slice(topic.as_bytes());
        expected.put_i32(batches.len() as i32);
        for (partition, batch) in batches {
            expected.put_i32(partition);
            expected.put_i32((HEADER_SIZE + batch.body().len()) as i32);
            expected.put_slice(batch.header());
            expected.put_slice(batch.body());
        }
    }
    assert_written(&encoded(&request, 8).unwrap(), expected, [&b, &c, &a]);
}

#[test]
fn by_id_lengths_are_compact_and_structures_end_with_their_tagged_fields() {
    let (a, b, c) = (batch(b"a"), batch(&[b'b'; 300]), batch(b"c"));
    let request = request(vec![
        part("orders", 2, &a),
        part("bills", 0, &b),
        part("orders", 1, &c),
    ]);
    let mut expected = BytesMut::from(&[0; 14][..]);
    expected.put_u8(0);
    expected.put_i16(-1);
    expected.put_i32(10_000);
    expected.put_u8(1 + 2);
    for (id, batches) in [(5, vec![(1, &c), (2, &a)]), (9, vec![(0, &b)])] {
        expected.put_u128(id);
        expected.put_u8(1 + batches.len() as u8);
        for (partition, batch) in batches {
            expected.put_i32(partition);
            match HEADER_SIZE + batch.body().len() + 1 {
                length @ ..0x80 => expected.put_u8(length as u8),
                length => expected.put_slice(&[length as u8 | 0x80, (length >> 7) as u8]),
            }
            expected.put_slice(batch.header());
            expected.put_slice(batch.body());
            expected.put_u8(0);
        }
        expected.put_u8(0);
    }
    expected.put_u8(0);
    let frame = encoded(&request, 13).unwrap();
    assert_written(&frame, expected, [&c, &a, &b]);
    assert_eq!(
        frame.parts().1.len(),
        6,
        "the last tagged fields are behind the last body"
    );
}

#[test]
fn lengths_take_as_many_bytes_as_they_need() {
    for (length, bytes) in [
        (0, &[1][..]),
        (126, &[127]),
        (127, &[0x80, 1]),
        (16_382, &[0xff, 0x7f]),
        (16_383, &[0x80, 0x80, 1]),
        (i32::MAX as usize, &[0x80, 0x80, 0x80, 0x80, 8]),
    ] {
        let mut out = BytesMut::new();
        Layout::ById.put_length(&mut out, length).unwrap();
        assert_eq!(out, bytes, "{length}");
    }
    let error = Layout::ById.put_length(&mut BytesMut::new(), 1 << 31);
    assert!(error.is_err());
}

#[test]
fn a_partition_twice_is_refused_before_the_broker_loses_one_in_silence() {
    let twice = request(vec![
        part("orders", 1, &batch(b"a")),
        part("orders", 0, &batch(b"b")),
        part("orders", 1, &batch(b"c")),
    ]);
    for version in [8, 13] {
        let error = encoded(&twice, version).unwrap_err();
        assert!(
            error.to_string().contains("orders-1 is in the request twice"),
            "{error}"
        );
    }
}
