//! Added latency: two consumers that know nothing of the mirror, one on each side, note when each record arrives. What lies between the
//! two arrivals of a record is what the mirror added; the way from the producer into the source, and a consumer's own delay, are in both.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use super::{Figure, Measured, figure::percentile, sample::Ends};
use crate::{
    broker::Pair,
    generate::{Codec, Item, SEQ_HEADER, Sink, Traffic},
    read, wait,
};

/// Traffic at an even pace. Record `first` of it is the next one of the topic.
pub(super) struct Steady {
    pub(super) traffic: Traffic,
    pub(super) rate: u64,
    /// Records at the beginning that are sent and not counted.
    pub(super) warm_up: u64,
}

/// After the last record was written.
const ARRIVED: Duration = Duration::from_secs(60);

// === impl Steady ===

impl Steady {
    /// Writes the traffic to the source while a mirror is at work.
    pub(super) fn measure(&self, pair: &Pair, measured: &mut Measured) -> Result<()> {
        let [source, target] = [pair.source.bootstrap(), pair.target.bootstrap()];
        let consumers = [self.consumer(source)?, self.consumer(target)?];
        let [source, target] = thread::scope(|scope| {
            let deadline = Instant::now()
                + Duration::from_secs_f64(self.traffic.records as f64 / self.rate as f64)
                + ARRIVED;
            let readers = consumers.map(|consumer| scope.spawn(move || self.arrivals(&consumer, deadline)));
            self.write(source)?;
            let [source, target] = readers.map(|reader| {
                reader
                    .join()
                    .unwrap_or_else(|_| bail!("a reader of arrivals panicked"))
            });
            anyhow::Ok([source.context("source")?, target.context("target")?])
        })?;
        let added = added(&source, &target, usize::try_from(self.warm_up)?);
        for (figure, percent) in [
            (Figure::AddedLatencyP50Millis, 50.0),
            (Figure::AddedLatencyP99Millis, 99.0),
        ] {
            measured.set(
                figure,
                percentile(&added, percent).context("no record was counted")?,
            );
        }
        Ok(())
    }

    fn write(&self, bootstrap: &str) -> Result<()> {
        let properties = [("linger.ms".to_owned(), "0".to_owned())];
        let sink = Sink::new(bootstrap, &self.traffic.topic, Codec::Lz4, &properties)?;
        let started = Instant::now();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for sent in 0..self.traffic.records {
            let due = Duration::from_secs_f64(sent as f64 / self.rate as f64);
            if let Some(early) = due.checked_sub(started.elapsed()) {
                wait::pause(early);
            }
            let seq = self.traffic.first + sent;
            key.clear();
            value.clear();
            self.traffic.key(seq, &mut key);
            self.traffic.value(seq, &mut value);
            sink.send(&Item {
                partition: self.traffic.partition(seq),
                timestamp: self.traffic.timestamp(seq),
                key: Some(&key),
                value: Some(&value),
                headers: &[(SEQ_HEADER, Some(seq.to_string().as_bytes()))],
            })?;
            sink.serve();
        }
        Ok(sink.finish()?)
    }

    /// At the present ends of all partitions.
    fn consumer(&self, bootstrap: &str) -> Result<BaseConsumer> {
        let topic = &self.traffic.topic;
        let ends = Ends::new(bootstrap, topic, self.traffic.partitions)?.by_partition()?;
        let mut assignment = TopicPartitionList::new();
        for (partition, end) in (0..).zip(ends) {
            assignment.add_partition_offset(topic, partition, Offset::Offset(end))?;
        }
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "towpath-lab-latency")
            .set("enable.auto.commit", "false")
            .create()?;
        consumer.assign(&assignment)?;
        Ok(consumer)
    }

    /// When each record came.
    fn arrivals(&self, consumer: &BaseConsumer, deadline: Instant) -> Result<Vec<Instant>> {
        let mut arrivals = vec![None; usize::try_from(self.traffic.records)?];
        let mut missing = arrivals.len();
        while missing > 0 {
            if Instant::now() > deadline {
                bail!("{missing} of {} records did not arrive in time", arrivals.len());
            }
            let Some(message) = consumer.poll(Duration::from_millis(200)) else {
                continue;
            };
            let message = message?;
            let arrived = Instant::now();
            let seq = read::sequence(&message)?;
            let index = seq
                .checked_sub(self.traffic.first)
                .and_then(|index| usize::try_from(index).ok())
                .filter(|index| *index < arrivals.len())
                .with_context(|| format!("record {seq} was not expected"))?;
            ensure!(arrivals[index].is_none(), "record {seq} came twice");
            arrivals[index] = Some(arrived);
            missing -= 1;
        }
        Ok(arrivals.into_iter().flatten().collect())
    }
}

/// Milliseconds from each arrival at the source's consumer to that at the target's, sorted; the first `skip` left out. It is below zero where
/// the source's consumer was the later one.
fn added(source: &[Instant], target: &[Instant], skip: usize) -> Vec<f64> {
    let millis = |(source, target): (&Instant, &Instant)| {
        let later = target.saturating_duration_since(*source).as_secs_f64();
        let earlier = source.saturating_duration_since(*target).as_secs_f64();
        (later - earlier) * 1e3
    };
    let mut added: Vec<f64> = source.iter().zip(target).skip(skip).map(millis).collect();
    added.sort_by(f64::total_cmp);
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_lies_between_the_arrivals_of_one_record() {
        let start = Instant::now() + Duration::from_secs(1);
        let at = |millis: [u64; 4]| millis.map(|millis| start + Duration::from_millis(millis));
        let added = added(&at([0, 10, 20, 30]), &at([500, 14, 19, 33]), 1);
        let expected = [-1.0, 3.0, 4.0];
        assert_eq!(added.len(), expected.len());
        for (added, expected) in added.iter().zip(expected) {
            assert!((added - expected).abs() < 1e-6, "{added}, not {expected}");
        }
    }
}
