//! Writing a topic's records, paced, through librdkafka.

use std::{
    convert::Infallible,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use towpath_kafka::produce::{Codec, Error, Item, Producer};

use super::content::Content;

/// The records of one topic.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    pub(super) topic: &'static str,
    pub(super) partitions: u32,
    pub(super) content: Content,
    pub(super) records: u64,
    /// records per second
    pub(super) rate: u64,
    /// timestamp of the first record, ms; ten records share a millisecond
    pub(super) first_timestamp: i64,
}

/// Records between two looks at the clock.
const STRIDE: u64 = 256;

// === impl Traffic ===

impl Traffic {
    /// Blocks until every record is acknowledged; `written` counts what was handed over. Returns early when the
    /// other end of `stop` is dropped.
    pub(super) fn write(
        &self,
        bootstrap: &str,
        written: &AtomicU64,
        stop: &Receiver<Infallible>,
    ) -> Result<(), Error> {
        let producer = Producer::new(bootstrap, self.topic, Codec::Lz4, &[])?;
        let started = Instant::now();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for number in 0..self.records {
            if number.is_multiple_of(STRIDE) {
                producer.serve();
                let due = Duration::from_secs_f64(number as f64 / self.rate as f64);
                let early = due.saturating_sub(started.elapsed());
                if let Err(RecvTimeoutError::Disconnected) = stop.recv_timeout(early) {
                    return Ok(());
                }
            }
            key.clear();
            value.clear();
            self.content.key(number, &mut key);
            self.content.value(number, &mut value);
            producer.send(&Item {
                // A remainder is smaller than the partition count.
                partition: (number % u64::from(self.partitions)) as i32,
                timestamp: self.first_timestamp + (number / 10) as i64,
                key: Some(&key),
                value: Some(&value),
                headers: &[],
            })?;
            written.fetch_add(1, Ordering::Relaxed);
        }
        producer.finish()
    }
}
