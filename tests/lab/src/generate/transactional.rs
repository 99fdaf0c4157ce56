//! Transactions of several producers, interleaved; some commit, some abort.

use std::time::Instant;

use anyhow::Result;

use super::{Codec, Generated, Item, SEQ_HEADER, Sink, decimal, text};

/// What transactional traffic looks like.
#[derive(Clone, Debug)]
pub struct Transactions {
    pub topic: String,
    pub partitions: i32,
    /// Producers with a transaction open at the same time. They take turns, record by record: without a common divisor with
    /// the partitions, every transaction spans all partitions.
    pub producers: u64,
    /// Transactions of each producer, one after another. Every third of all aborts.
    pub rounds: u64,
    /// Records of a transaction.
    pub records: u64,
    pub codec: Codec,
}

/// Writes the transactions. Returns the committed records and the aborted ones.
pub fn transactional(bootstrap: &str, what: &Transactions) -> Result<(Generated, Generated)> {
    let started = Instant::now();
    let sinks: Vec<Sink> = (0..what.producers)
        .map(|producer| {
            let id = (
                "transactional.id".to_owned(),
                format!("{}-{producer}", what.topic),
            );
            let sink = Sink::new(bootstrap, &what.topic, what.codec, &[id])?;
            sink.init_transactions()?;
            Ok(sink)
        })
        .collect::<Result<_>>()?;
    let base = super::Traffic::orders(&what.topic, what.partitions, 0).base_timestamp;
    let empty = Generated {
        records: vec![0; usize::try_from(what.partitions)?],
        ..Generated::default()
    };
    let (mut committed, mut aborted) = (empty.clone(), empty);

    let mut seq = 0;
    for round in 0..what.rounds {
        for sink in &sinks {
            sink.begin_transaction()?;
        }
        let aborts = |producer: u64| (round * what.producers + producer) % 3 == 1;
        for _ in 0..what.records {
            for (sink, producer) in sinks.iter().zip(0..) {
                let mut number = Vec::new();
                decimal(seq, &mut number);
                let outcome: &[u8] = if aborts(producer) {
                    b"aborted"
                } else {
                    b"committed"
                };
                let item = Item {
                    partition: (seq % u64::from(what.partitions.unsigned_abs())) as i32,
                    timestamp: base + i64::try_from(seq)?,
                    key: Some(&number),
                    value: Some(text(seq, 200)),
                    headers: &[(SEQ_HEADER, Some(&number)), ("outcome", Some(outcome))],
                };
                sink.send(&item)?;
                let counted = if aborts(producer) {
                    &mut aborted
                } else {
                    &mut committed
                };
                counted.records[usize::try_from(item.partition)?] += 1;
                counted.bytes += (number.len() + 200) as u64;
                seq += 1;
            }
        }
        for (sink, producer) in sinks.iter().zip(0..) {
            // Everything is in the log before it is aborted: librdkafka would drop what it still holds.
            sink.finish()?;
            if aborts(producer) {
                sink.abort_transaction()?;
            } else {
                sink.commit_transaction()?;
            }
        }
    }
    committed.elapsed = started.elapsed();
    aborted.elapsed = committed.elapsed;
    Ok((committed, aborted))
}
