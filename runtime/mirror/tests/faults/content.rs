//! What logs hold, and how it compares.

use std::collections::HashMap;

use bytes::Bytes;
use towpath_embedded::Cluster;
use towpath_wire::batch::{Limits, Piece, batches, decode};

/// A record's content, offsets left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<u8>,
}

/// Every record of a partition, in order; none when it is not there.
pub fn rows(cluster: &Cluster, topic: &str, partition: i32) -> Vec<Row> {
    let placed = places(cluster, topic, partition);
    placed.rows.into_iter().map(|(_, row)| row).collect()
}

type Placings = Vec<(i64, Row)>;

/// A log by its offsets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Placed {
    pub start: i64,
    pub end: i64,
    /// Those that a consumer may see.
    pub rows: Placings,
}

/// Every record of a partition that is committed, with its offset; nothing when it is not there.
pub fn places(cluster: &Cluster, topic: &str, partition: i32) -> Placed {
    let Ok(log) = cluster.log(topic, partition) else {
        return Placed::default();
    };
    // Of batches of transactions a marker says whether their rows count.
    let mut found: Vec<(Option<i64>, Placings)> = Vec::new();
    for bytes in log.batches {
        for piece in batches(Bytes::from(bytes.to_vec())) {
            let Ok(Piece::Batch(batch)) = piece else {
                panic!("{topic}-{partition} has something else than batches")
            };
            batch.verify_crc().unwrap();
            let records = decode(&batch, &Limits::default()).unwrap();
            if batch.is_control() {
                let of_it = Some(batch.producer_id());
                let is_commit = records.iter().next().unwrap().key.unwrap()[3] == 1;
                found.retain(|(undecided, _)| is_commit || *undecided != of_it);
                for (undecided, _) in &mut found {
                    undecided.take_if(|producer| Some(*producer) == of_it);
                }
                continue;
            }
            let undecided = batch.is_transactional().then(|| batch.producer_id());
            let visible = records.iter().filter(|record| record.offset.0 >= log.start);
            let rows = visible.map(|record| {
                let row = Row {
                    timestamp: record.timestamp,
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                    headers: record.headers.raw().to_vec(),
                };
                (record.offset.0, row)
            });
            found.push((undecided, rows.collect()));
        }
    }
    found.retain(|(undecided, _)| undecided.is_none());
    let rows = found.into_iter().flat_map(|(_, rows)| rows).collect();
    Placed {
        start: log.start,
        end: log.end,
        rows,
    }
}

/// At least once, in order: every record of the source, and what is there again goes back no more often than `rewinds` and goes on in
/// order from there. The records of the source are all different. Answers how many came twice.
pub fn compare(source: &[Row], target: &[Row], rewinds: usize) -> Result<usize, String> {
    let places: HashMap<&Row, usize> = source.iter().zip(0..).collect();
    assert_eq!(places.len(), source.len(), "the writer repeated itself");
    let (mut next, mut furthest, mut went_back) = (0, 0, 0);
    for (at, row) in target.iter().enumerate() {
        let Some(&place) = places.get(row) else {
            return Err(format!(
                "record {at} of the target is none of the source's: {row:?}"
            ));
        };
        if place > furthest {
            return Err(format!(
                "record {at} of the target is record {place} of the source: records {furthest} to {place} are missing before it"
            ));
        }
        if place != next {
            went_back += 1;
        }
        next = place + 1;
        furthest = furthest.max(next);
    }
    if furthest < source.len() {
        return Err(format!("{furthest} of {} records are there", source.len()));
    }
    if went_back > rewinds {
        return Err(format!(
            "the target goes back {went_back} times, {rewinds} are allowed"
        ));
    }
    Ok(target.len() - source.len())
}
