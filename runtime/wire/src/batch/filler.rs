//! Filler: records without key, content or time, which take offsets until they are deleted.

use towpath_domain::Offset;

use super::{Compression, Encoder, Error, Headers, Outgoing, Record, SourceSpan};

impl Outgoing {
    /// A batch of so many records that stand for nothing: the null key, an empty value, timestamp 0, which makes the broker begin a new segment behind them
    /// (`LogSegment.shouldRoll`: older than `segment.ms`). 100,000 of them have 84 kB.
    pub fn filler(records: i32) -> Result<Self, Error> {
        let mut encoder = Encoder::new(Compression::Zstd);
        for offset in 0..records {
            encoder.push(&Record {
                offset: Offset(i64::from(offset)),
                timestamp: 0,
                key: None,
                value: Some(b""),
                headers: Headers::EMPTY,
            })?;
        }
        encoder.finish(SourceSpan {
            first: Offset(0),
            next: Offset(i64::from(records)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_offsets_are_taken_by_less_than_a_broker_takes_by_default() {
        let filler = Outgoing::filler(100_000).expect("filler");
        assert_eq!(filler.records(), 100_000);
        assert!(filler.size() < 100_000, "{}", filler.size());
        let moved = filler.moved_to(Offset(7));
        assert_eq!(
            (moved.source().first, moved.source().next),
            (Offset(7), Offset(100_007))
        );
        assert_eq!(moved.body(), filler.body());
    }
}
