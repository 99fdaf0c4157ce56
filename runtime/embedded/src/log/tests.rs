use towpath_domain::Offset;
use towpath_wire::batch::{
    Batch, Compression, Encoder, Headers, ProducerIdentity, Record, SourceSpan, Transactional,
};

use super::*;
use crate::config::{BrokerConfigs, Settings};

/// A producer's batch of so many records, transactional when it has an id.
fn incoming(producer_id: i64, sequence: i32, records: i32) -> Incoming {
    let mut encoder = Encoder::new(Compression::None);
    for _ in 0..records {
        let record = Record {
            offset: Offset(0),
            timestamp: 1_000,
            key: Some(b"k"),
            value: None,
            headers: Headers::EMPTY,
        };
        encoder.push(&record).unwrap();
    }
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(1),
    };
    let mut batch = encoder.finish(span).unwrap();
    let producer = ProducerIdentity {
        id: producer_id,
        epoch: if producer_id < 0 { -1 } else { 0 },
        transactional: if producer_id < 0 {
            Transactional::No
        } else {
            Transactional::Yes
        },
    };
    batch.sign(producer, sequence);
    let bytes = Bytes::from([batch.header().as_slice(), batch.body()].concat());
    let settings = Settings::of(&Default::default(), &BrokerConfigs::default());
    Incoming::check(Some(bytes), 9, &settings, 1_000).unwrap()
}

fn marker(producer_id: i64, outcome: Outcome) -> Marker {
    Marker {
        producer_id,
        producer_epoch: 0,
        coordinator_epoch: 3,
        outcome,
    }
}

#[test]
fn an_open_transaction_holds_the_stable_end_and_an_aborted_one_is_listed() {
    let mut log = Log::default();
    log.append(incoming(-1, -1, 2), 0).unwrap();
    log.append(incoming(7, 0, 2), 0).unwrap();
    log.append(incoming(8, 0, 1), 0).unwrap();
    assert_eq!((log.end(), log.last_stable_offset()), (5, 2));
    assert!(log.is_in_transaction(7, 0) && !log.is_in_transaction(7, 1));
    assert_eq!(log.append_marker(&marker(7, Outcome::Abort), 0, 2_000), 5);
    assert_eq!((log.end(), log.last_stable_offset()), (6, 4));
    assert_eq!(log.append_marker(&marker(8, Outcome::Commit), 0, 2_000), 6);
    assert_eq!(log.last_stable_offset(), 7);
    let aborted = Aborted {
        producer_id: 7,
        first_offset: 2,
        last_offset: 5,
    };
    for (from, to, listed) in [
        (0, 7, true),
        (0, 3, true),
        (5, 7, true),
        (0, 2, false),
        (6, 7, false),
    ] {
        let found: Vec<_> = log.aborted(from, to).copied().collect();
        assert_eq!(
            found,
            if listed { vec![aborted] } else { vec![] },
            "{from} to {to}"
        );
    }
    // A marker is a control batch of one record, in its place.
    let last = log.batches().last().unwrap();
    let batch = Batch::new(last.bytes()).unwrap();
    batch.verify_crc().unwrap();
    assert!(batch.is_control() && batch.is_transactional());
    assert_eq!(
        (batch.base_offset().0, batch.record_count(), batch.producer_id()),
        (6, 1, 8)
    );
    // Its producer goes on where it was.
    log.append(incoming(7, 2, 1), 0).unwrap();
    assert_eq!((log.transaction_start(7), log.last_stable_offset()), (Some(7), 7));
}

#[test]
fn a_lost_marker_leaves_its_transaction_open() {
    let mut log = Log::default();
    log.append(incoming(7, 0, 2), 0).unwrap();
    log.append_marker(&marker(7, Outcome::Abort), 0, 2_000);
    log.truncate(2);
    assert_eq!((log.end(), log.last_stable_offset()), (2, 0));
    assert_eq!(log.aborted(0, 10).count(), 0);
    log.truncate(0);
    assert_eq!((log.end(), log.last_stable_offset(), log.size()), (0, 0, 0));
    // What the producer had written is forgotten with it.
    log.append(incoming(7, 100, 1), 0).unwrap();
}

#[test]
fn a_batch_without_the_bit_in_the_middle_of_a_transaction_is_refused() {
    let mut log = Log::default();
    log.append(incoming(7, 0, 1), 0).unwrap();
    let batch = incoming(7, 1, 1);
    let plain = stored::rewritten(batch.batch().bytes(), 0, &[]);
    let settings = Settings::of(&Default::default(), &BrokerConfigs::default());
    let plain = Incoming::check(Some(plain.bytes().clone()), 9, &settings, 1_000).unwrap();
    let refused = log.append(plain, 0).unwrap_err();
    assert_eq!(refused.code, crate::ErrorCode::InvalidTxnState);
}

#[test]
fn epochs_end_where_the_next_begins() {
    let mut log = Log::default();
    log.new_epoch(0);
    log.append(incoming(-1, -1, 3), 0).unwrap();
    // Nobody wrote in epoch 1 and 2.
    log.new_epoch(1);
    log.new_epoch(2);
    log.new_epoch(4);
    log.append(incoming(-1, -1, 2), 4).unwrap();
    let end = |epoch| log.end_of_epoch(epoch).map(|end| (end.epoch, end.end));
    assert_eq!(
        (end(0), end(1), end(3)),
        (Some((0, 3)), Some((0, 3)), Some((0, 3)))
    );
    assert_eq!((end(4), end(5), end(-1)), (Some((4, 5)), None, None));
    log.delete_before(4);
    assert_eq!((log.epoch_at(4), log.start()), (4, 4));
}
