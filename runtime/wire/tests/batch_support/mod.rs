//! What the tests of the batch codec share: records with an owner, made at random from a seed, and raw batches to damage.
#![allow(dead_code, reason = "each test uses a part")]

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use towpath_domain::Offset;
use towpath_wire::batch::{
    Batch, Compression, Encoder, HeadersBuilder, Outgoing, Piece, ProducerIdentity, Record, Records,
    SourceSpan, batches,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Owned {
    pub fn of(record: Record<'_>) -> Self {
        Self {
            offset: record.offset.0,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers
                .iter()
                .map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }

    pub fn all(records: &Records) -> Vec<Self> {
        records.iter().map(Self::of).collect()
    }

    pub fn with_record<T>(&self, use_it: impl FnOnce(&Record<'_>) -> T) -> T {
        let mut headers = HeadersBuilder::new();
        for (key, value) in &self.headers {
            headers.push(key, value.as_deref());
        }
        use_it(&Record {
            offset: Offset(self.offset),
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers.headers(),
        })
    }
}

pub fn random(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Null, empty and other fields; duplicate header keys; timestamps before and behind the first one's.
pub fn records(random: &mut StdRng, count: usize, longest: usize) -> Vec<Owned> {
    let mut offset = random.random_range(0..1 << 40);
    (0..count)
        .map(|_| {
            offset += 1;
            let headers = match random.random_range(0..4) {
                0 => random.random_range(1..70),
                1 => 2,
                _ => 0,
            };
            let mut header = || (vec![b'k'; random.random_range(0..2)], field(random, 40));
            let headers = (0..headers).map(|_| header()).collect();
            let timestamp = match random.random_range(0..20) {
                0 => -1,
                1 => i64::MAX,
                2 => 0,
                _ => 1_700_000_000_000 + random.random_range(-1_000_000..1_000_000),
            };
            Owned {
                offset,
                timestamp,
                key: field(random, longest / 4),
                value: field(random, longest),
                headers,
            }
        })
        .collect()
}

fn field(random: &mut StdRng, longest: usize) -> Option<Vec<u8>> {
    match random.random_range(0..6) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(
            (0..random.random_range(0..=longest))
                .map(|_| random.random())
                .collect(),
        ),
        _ => {
            let length = random.random_range(0..=longest);
            Some(
                std::iter::repeat_n(b"{\"field\":42}", length / 12 + 1)
                    .flatten()
                    .copied()
                    .take(length)
                    .collect(),
            )
        }
    }
}

pub fn span(records: &[Owned]) -> SourceSpan {
    let first = records.first().map_or(0, |record| record.offset);
    SourceSpan {
        first: Offset(first),
        next: Offset(records.last().map_or(first, |record| record.offset + 1)),
    }
}

pub fn encode(compression: Compression, records: &[Owned]) -> Outgoing {
    let mut encoder = Encoder::new(compression);
    for record in records {
        record.with_record(|record| encoder.push(record)).unwrap();
    }
    encoder.finish(span(records)).unwrap()
}

/// As it goes over the wire.
pub fn bytes(outgoing: &Outgoing) -> Vec<u8> {
    [outgoing.header().as_slice(), outgoing.body()].concat()
}

pub fn signed(mut outgoing: Outgoing) -> Vec<u8> {
    outgoing.sign(ProducerIdentity::NONE, -1);
    bytes(&outgoing)
}

/// The one batch that `bytes` are.
pub fn batch(bytes: impl Into<Bytes>) -> Batch {
    let mut pieces = batches(bytes.into());
    let Some(Ok(Piece::Batch(batch))) = pieces.next() else {
        panic!("no batch")
    };
    assert!(pieces.next().is_none());
    batch
}

/// Makes length and CRC right again after the bytes were changed, so that the decoder itself is attacked.
pub fn resign(bytes: &mut [u8]) {
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}
