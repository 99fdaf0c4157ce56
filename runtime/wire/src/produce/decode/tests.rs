use bytes::{BufMut, BytesMut};
use uuid::Uuid;

use super::*;

const ORDERS: u128 = 5;

fn names() -> Names {
    Names::from([(Uuid::from_u128(ORDERS), "orders".into())])
}

/// Version 13: a topic of two partitions, one of them led by another broker by now, and tagged fields wherever they may be.
fn answer(topic: u128) -> BytesMut {
    let mut answer = BytesMut::new();
    answer.put_i32(1);
    answer.put_u8(0);
    answer.put_u8(1 + 1);
    answer.put_u128(topic);
    answer.put_u8(1 + 2);
    // Partition 0: appended at 41.
    answer.put_i32(0);
    answer.put_i16(0);
    for offset in [41, -1, 5] {
        answer.put_i64(offset);
    }
    answer.put_slice(&[1, 0, 0]);
    // Partition 1: NOT_LEADER_OR_FOLLOWER, with a message and field 0, CurrentLeader: broker 7, epoch 12.
    answer.put_i32(1);
    answer.put_i16(6);
    for _ in 0..3 {
        answer.put_i64(-1);
    }
    answer.put_slice(b"\x01\x05gone");
    answer.put_slice(&[1, 0, 9, 0, 0, 0, 7, 0, 0, 0, 12, 0]);
    // The topic's: one that nobody knows.
    answer.put_slice(&[1, 9, 2, 1, 2]);
    answer.put_i32(300);
    // Field 0, NodeEndpoints: broker 7 at "host", 9092, without a rack.
    answer.put_slice(&[1, 0, 16, 2, 0, 0, 0, 7]);
    answer.put_slice(b"\x05host");
    answer.put_i32(9092);
    answer.put_slice(&[0, 0]);
    answer
}

#[test]
fn an_answer_by_id_is_of_the_topics_that_were_asked_for() {
    let (decoded, throttle) = decode(answer(ORDERS).freeze(), 13, &names()).unwrap();
    assert_eq!(throttle, 300);
    let appended = Appended {
        base_offset: Offset(41),
        log_append_time: -1,
        log_start_offset: Offset(5),
    };
    assert_eq!(
        decoded.partitions,
        [
            (TopicPartition::new("orders", 0), Ok(appended)),
            (
                TopicPartition::new("orders", 1),
                Err(KafkaError::NOT_LEADER_OR_FOLLOWER)
            ),
        ]
    );
    assert_eq!(
        decoded.messages,
        [(TopicPartition::new("orders", 1), "gone".to_owned())]
    );
    let (foreign, _) = decode(answer(77).freeze(), 13, &names()).unwrap();
    assert!(foreign.partitions.is_empty(), "nobody asked for it");
}

#[test]
fn an_answer_that_is_too_short_or_claims_too_much_is_an_error() {
    let whole = answer(ORDERS);
    for length in 0..whole.len() {
        let cut = whole.clone().freeze().slice(..length);
        assert!(decode(cut, 13, &names()).is_err(), "{length} bytes");
    }
    // The topics, the partitions, the tagged fields of the first partition, the endpoints and their size: 2^28 - 1.
    for at in [5, 22, 22 + 1 + 30 + 2, whole.len() - 16, whole.len() - 17] {
        let mut lie = whole[..at].to_vec();
        lie.extend([0xff, 0xff, 0xff, 0x7f]);
        lie.extend(&whole[at + 1..]);
        assert!(decode(lie.into(), 13, &names()).is_err(), "at {at}");
    }
}
