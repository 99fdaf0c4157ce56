//! What was encoded decodes to the same records, with every codec; splits lose nothing and partition what they stand for.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use batch_support::{Owned, batch, encode, random, records, resign, signed, span};
use bytes::Bytes;
use rand::RngExt;
use towpath_domain::Offset;
use towpath_wire::batch::{
    Compression, Encoder, Error, Headers, HeadersBuilder, Limits, Outgoing, ProducerIdentity, Record,
    Records, SourceSpan, Transactional, decode,
};

mod batch_support;

fn shifted(records: &[Owned]) -> Vec<Owned> {
    records
        .iter()
        .enumerate()
        .map(|(offset, record)| Owned {
            offset: offset as i64,
            ..record.clone()
        })
        .collect()
}

#[test]
fn records_come_back_from_every_codec() {
    let mut random = random(1);
    for round in 0..40 {
        let longest = [0, 10, 300, 100_000][round % 4];
        let count = random.random_range(1..if longest > 1000 { 20 } else { 400 });
        let records = records(&mut random, count, longest);
        for compression in Compression::ALL {
            let batch = batch(signed(encode(compression, &records)));
            batch.verify_crc().unwrap();
            assert_eq!(batch.compression(), compression);
            assert_eq!(batch.record_count() as usize, records.len());
            assert_eq!(batch.last_offset_delta() as usize, records.len() - 1);
            assert_eq!(batch.base_timestamp(), records[0].timestamp);
            assert_eq!(
                batch.max_timestamp(),
                records.iter().map(|record| record.timestamp).max().unwrap()
            );
            let decoded = decode(&batch, &Limits::default()).unwrap();
            assert_eq!(Owned::all(&decoded), shifted(&records), "{compression}");
        }
    }
}

#[test]
fn blocks_of_every_length_come_back() {
    // Around the block lengths of snappy (32 KiB) and lz4 (64 KiB, and the limit of its small table).
    let mut random = random(2);
    for length in [
        1, 32_700, 32_768, 32_800, 65_400, 65_534, 65_535, 65_536, 65_537, 131_072, 300_000,
    ] {
        for step in [0, 1, 7] {
            let mut value: Vec<u8> = (0..length).map(|at| (at * step / 5) as u8).collect();
            if step == 7 {
                random.fill(&mut value[..]);
            }
            let record = Owned {
                offset: 9,
                timestamp: 1,
                key: None,
                value: Some(value),
                headers: vec![],
            };
            for compression in Compression::ALL {
                let batch = batch(signed(encode(compression, std::slice::from_ref(&record))));
                let decoded = decode(&batch, &Limits::default()).unwrap();
                assert_eq!(
                    decoded.record(0).value,
                    record.value.as_deref(),
                    "{compression}, {length}, {step}"
                );
            }
        }
    }
}

#[test]
fn an_encoder_makes_batch_after_batch() {
    let mut random = random(3);
    for compression in Compression::ALL {
        let mut encoder = Encoder::new(compression);
        for _ in 0..10 {
            let records = records(&mut random, 20, 1000);
            for record in &records {
                record.with_record(|record| encoder.push(record)).unwrap();
            }
            assert_eq!(encoder.len(), records.len());
            let estimate = encoder.size_estimate();
            let outgoing = encoder.finish(span(&records)).unwrap();
            assert!(compression != Compression::None || estimate == outgoing.size());
            assert_eq!(outgoing.source(), span(&records));
            let decoded = decode(&batch(signed(outgoing)), &Limits::default()).unwrap();
            assert_eq!(Owned::all(&decoded), shifted(&records));
        }
        assert_eq!(encoder.finish(span(&[])).unwrap_err(), Error::NoRecords);
    }
}

#[test]
fn uncompressed_records_are_not_copied() {
    let bytes = Bytes::from(signed(encode(
        Compression::None,
        &records(&mut random(4), 50, 200),
    )));
    let records = decode(&batch(bytes.clone()), &Limits::default()).unwrap();
    let value = records
        .iter()
        .find_map(|record| record.value.filter(|value| !value.is_empty()))
        .unwrap();
    assert!(bytes.as_ptr_range().contains(&value.as_ptr()));
    fn is_shareable<T: Send + Sync + 'static>(_: &T) {}
    is_shareable(&records);
}

#[test]
fn encoded_headers_are_carried_over_untouched() {
    let mut builder = HeadersBuilder::new();
    for _ in 0..200 {
        builder.push(b"twice", None);
        builder.push(b"twice", Some(b""));
        builder.push(b"", Some(b"value"));
    }
    let headers = builder.headers();
    assert_eq!(headers.len(), 600);
    assert_eq!(Headers::parse(headers.raw()).unwrap(), headers);
    let mut encoder = Encoder::new(Compression::Lz4);
    encoder
        .push(&Record {
            offset: Offset(1),
            timestamp: 5,
            key: None,
            value: None,
            headers,
        })
        .unwrap();
    let outgoing = encoder
        .finish(SourceSpan {
            first: Offset(1),
            next: Offset(2),
        })
        .unwrap();
    let records = decode(&batch(signed(outgoing)), &Limits::default()).unwrap();
    assert_eq!(records.record(0).headers.raw(), headers.raw());
    assert!(records.record(0).headers.iter().take(3).eq([
        (&b"twice"[..], None),
        (&b"twice"[..], Some(&b""[..])),
        (&b""[..], Some(&b"value"[..]))
    ]));
    builder.clear();
    assert!(builder.headers().is_empty());
    assert_eq!(builder.headers(), Headers::EMPTY);
    for bad in [
        &b""[..],
        b"\x01",
        b"\x02",
        b"\x02\x01\x00",
        b"\x02\x00\x08a",
        b"\x00\x00",
    ] {
        assert!(Headers::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn splits_fit_lose_nothing_and_partition_their_source() {
    let mut random = random(5);
    for round in 0..60 {
        let mut records = records(&mut random, 1 + round, 2_000);
        // Gaps, and several records of one source offset.
        let mut offset = 1_000;
        for record in &mut records {
            record.offset = offset;
            offset += random.random_range(0..3);
        }
        let source = SourceSpan {
            first: Offset(990),
            next: Offset(offset + 10),
        };
        let decoded = owned(&records);
        for compression in Compression::ALL {
            let limit = 2_700 + random.random_range(0..5_000) + 70 * 45;
            let mut encoder = Encoder::new(compression);
            let batches = encoder
                .encode_split(with_offsets(&decoded, &records), source, limit)
                .unwrap();
            let mut first = source.first;
            let mut all = Vec::new();
            for outgoing in &batches {
                assert!(outgoing.size() <= limit);
                assert_eq!(outgoing.source().first, first);
                assert!(outgoing.source().next >= first);
                first = outgoing.source().next;
                let decoded = decode(&batch(signed(outgoing.clone())), &Limits::default()).unwrap();
                for (record, source) in decoded.iter().zip(&records[all.len()..]) {
                    assert!(source.offset >= outgoing.source().first.0);
                    assert!(source.offset <= outgoing.source().next.0);
                    all.push(Owned {
                        offset: source.offset,
                        ..Owned::of(record)
                    });
                }
                // A record that is still to come must not count as passed.
                assert!(
                    records
                        .get(all.len())
                        .is_none_or(|record| record.offset >= first.0)
                );
            }
            assert_eq!(first, source.next);
            assert_eq!(all, records);
        }
    }
}

#[test]
fn a_record_above_the_limit_is_named() {
    let mut records = records(&mut random(6), 9, 10);
    records.iter_mut().for_each(|record| record.headers.clear());
    let mut noise = vec![0; 5000];
    random(7).fill(&mut noise[..]);
    records[7].value = Some(noise);
    let offset = records[7].offset;
    for compression in Compression::ALL {
        let decoded = owned(&records);
        let mut encoder = Encoder::new(compression);
        let error = encoder
            .encode_split(with_offsets(&decoded, &records), span(&records), 700)
            .unwrap_err();
        assert!(
            matches!(error, Error::RecordTooLarge { offset: at, size, limit: 700 } if at.0 == offset && size > 700),
            "{error}"
        );
        let batches = encoder
            .encode_split(with_offsets(&decoded, &records), span(&records), usize::MAX)
            .unwrap();
        assert_eq!(batches.len(), 1, "the encoder is ready again");
        assert!(encoder.encode_split([], span(&records), 700).unwrap().is_empty());
    }
}

#[test]
fn signing_again_changes_identity_sequence_and_checksum_only() {
    let mut outgoing = encode(Compression::Zstd, &records(&mut random(7), 30, 100));
    let identity = |transactional| ProducerIdentity {
        id: 99,
        epoch: 3,
        transactional,
    };
    outgoing.sign(identity(Transactional::Yes), 10);
    let first = batch(batch_support::bytes(&outgoing));
    first.verify_crc().unwrap();
    assert_eq!(
        (first.producer_id(), first.producer_epoch(), first.base_sequence()),
        (99, 3, 10)
    );
    assert!(first.is_transactional());
    outgoing.sign(identity(Transactional::No), 40);
    let second = batch(batch_support::bytes(&outgoing));
    second.verify_crc().unwrap();
    assert_eq!((second.base_sequence(), second.is_transactional()), (40, false));
    assert_eq!(first.body(), second.body());
    outgoing.sign(identity(Transactional::Yes), 10);
    assert_eq!(first.bytes(), &batch_support::bytes(&outgoing), "the same again");
}

#[test]
fn passing_through_twice_changes_nothing_more() {
    let records = records(&mut random(8), 30, 100);
    let mut bytes = signed(encode(Compression::Lz4, &records));
    bytes[..8].copy_from_slice(&77_i64.to_be_bytes());
    bytes[12..16].copy_from_slice(&5_i32.to_be_bytes());
    bytes[22] |= 0b0101_1000;
    resign(&mut bytes);
    let source = batch(bytes);
    let mut once = Outgoing::pass_through(&source);
    once.sign(
        ProducerIdentity {
            id: 1,
            epoch: 0,
            transactional: Transactional::No,
        },
        0,
    );
    assert_eq!(
        once.source(),
        SourceSpan {
            first: Offset(77),
            next: Offset(107)
        }
    );
    assert_eq!((once.records(), once.size()), (30, source.size()));
    let copy = batch(batch_support::bytes(&once));
    copy.verify_crc().unwrap();
    assert_eq!(
        (copy.base_offset(), copy.leader_epoch().0, copy.attributes()),
        (Offset(0), -1, Compression::Lz4.id())
    );
    assert_eq!(copy.base_timestamp(), source.base_timestamp());
    assert_eq!(
        Owned::all(&decode(&copy, &Limits::default()).unwrap()),
        shifted(&records)
    );
}

fn owned(records: &[Owned]) -> Records {
    decode(
        &batch(signed(encode(Compression::None, records))),
        &Limits::default(),
    )
    .unwrap()
}

fn with_offsets<'a>(decoded: &'a Records, records: &'a [Owned]) -> impl Iterator<Item = Record<'a>> {
    decoded.iter().zip(records).map(|(record, owned)| Record {
        offset: Offset(owned.offset),
        ..record
    })
}
