//! Watching a mirror at work: records on the target and CPU time, many times a second.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use super::{Figure, Measured, contender::Running};
use crate::wait;

/// One look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Since the process was started.
    pub(super) at: Duration,
    /// Records on the target.
    pub(super) records: u64,
    /// CPU time of the process so far.
    pub(super) cpu: Duration,
}

/// All looks of a run, from the start to the last record.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    samples: Vec<Sample>,
}

/// End offsets of a topic. It is asked for all of them in one request, so that looking costs the broker next to nothing.
pub(super) struct Ends {
    consumer: BaseConsumer,
    partitions: TopicPartitionList,
}

const REQUEST: Duration = Duration::from_secs(20);
/// Until a broker leads thousands of partitions that were just created.
const LEADERS: Duration = Duration::from_secs(120);
/// A mirror that brings nothing for so long has failed.
const STALL: Duration = Duration::from_secs(120);
/// The longest run.
const RUN: Duration = Duration::from_secs(1800);
const INTERVAL: Duration = Duration::from_millis(20);
/// With many partitions a look costs the broker more.
const INTERVAL_OF_MANY: Duration = Duration::from_millis(200);
const MANY: i32 = 200;

// === impl Course ===

impl Course {
    /// Looks until `records` are on the target.
    pub(super) fn watch(running: &mut Running, ends: &Ends, started: Instant, records: u64) -> Result<Self> {
        let interval = if ends.partitions.count() > MANY as usize {
            INTERVAL_OF_MANY
        } else {
            INTERVAL
        };
        let mut course = Self::default();
        let mut moved = Instant::now();
        loop {
            let now = ends.sum()?;
            let process = running.process()?;
            if let Some(status) = process.ended()? {
                bail!("the mirror ended with {status}:\n{}", process.log_tail(30));
            }
            if course.samples.last().is_none_or(|last| last.records != now) {
                moved = Instant::now();
            }
            course.samples.push(Sample {
                at: started.elapsed(),
                records: now,
                cpu: process.cpu_time()?,
            });
            if now >= records {
                return Ok(course);
            }
            if moved.elapsed() > STALL || started.elapsed() > RUN {
                bail!(
                    "{now} of {records} records were mirrored, and then nothing for {} s:\n{}",
                    moved.elapsed().as_secs(),
                    process.log_tail(30)
                );
            }
            wait::pause(interval);
        }
    }

    /// `bytes`: of keys and values of all records.
    pub(super) fn measured(&self, bytes: u64) -> Measured {
        let mut measured = Measured::default();
        let Some(last) = self.samples.last() else {
            return measured;
        };
        let total = last.records.max(1) as f64;
        measured.set(Figure::CpuWhole, last.cpu.as_secs_f64() * 1e6 / total);
        if let Some(first) = self.first() {
            measured.set(Figure::FirstRecordMillis, first.at.as_secs_f64() * 1e3);
        }
        if let Some((records, seconds, cpu)) = self.begin().and_then(|begin| between(begin, last)) {
            measured.set(Figure::RecordsPerSecond, records / seconds);
            measured.set(
                Figure::MegabytesPerSecond,
                records / seconds * bytes as f64 / total / 1e6,
            );
            measured.set(Figure::CpuMirroring, cpu * 1e6 / records);
        }
        let middle = self
            .samples
            .iter()
            .find(|sample| sample.records >= last.records / 2);
        if let Some((records, _, cpu)) = middle.and_then(|middle| between(middle, last)) {
            measured.set(Figure::CpuSecondHalf, cpu * 1e6 / records);
        }
        measured
    }

    fn first(&self) -> Option<&Sample> {
        self.samples.iter().find(|sample| sample.records > 0)
    }

    /// The look that saw the first records; the one before when that saw all of them at once.
    fn begin(&self) -> Option<&Sample> {
        let first = self.samples.iter().position(|sample| sample.records > 0)?;
        if first + 1 == self.samples.len() {
            return self.samples.get(first.checked_sub(1)?);
        }
        self.samples.get(first)
    }
}

/// Records, seconds and CPU seconds; none when nothing came between.
fn between(from: &Sample, to: &Sample) -> Option<(f64, f64, f64)> {
    let records = to
        .records
        .checked_sub(from.records)
        .filter(|records| *records > 0)?;
    let seconds = to.at.checked_sub(from.at).filter(|time| !time.is_zero())?;
    let cpu = to.cpu.saturating_sub(from.cpu);
    Some((records as f64, seconds.as_secs_f64(), cpu.as_secs_f64()))
}

// === impl Ends ===

impl Ends {
    pub(super) fn new(bootstrap: &str, topic: &str, partitions: i32) -> Result<Self> {
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            // Latest, as ListOffsets has it.
            list.add_partition_offset(topic, partition, Offset::End)?;
        }
        let ends = Self {
            consumer: ClientConfig::new().set("bootstrap.servers", bootstrap).create()?,
            partitions: list,
        };
        // A leader may be known to the controller before it knows itself.
        wait::until(&format!("leaders of {topic}"), LEADERS, || ends.sum().map(Some))?;
        Ok(ends)
    }

    pub(super) fn sum(&self) -> Result<u64> {
        Ok(self
            .by_partition()?
            .iter()
            .map(|end| u64::try_from(*end).unwrap_or(0))
            .sum())
    }

    pub(super) fn by_partition(&self) -> Result<Vec<i64>> {
        let answer = self
            .consumer
            .offsets_for_times(self.partitions.clone(), REQUEST)?;
        answer
            .elements()
            .iter()
            .map(|element| {
                element.error()?;
                Ok(element.offset().to_raw().unwrap_or(0))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(samples: &[(u64, u64, u64)]) -> Course {
        let samples = samples.iter().map(|&(at, records, cpu)| Sample {
            at: Duration::from_millis(at),
            records,
            cpu: Duration::from_millis(cpu),
        });
        Course {
            samples: samples.collect(),
        }
    }

    #[test]
    fn mirroring_is_what_lies_between_the_first_and_the_last_record() {
        let course = course(&[
            (0, 0, 0),
            (900, 0, 5000),
            (1000, 1000, 5100),
            (1500, 2_000, 5200),
            (3000, 5000, 5300),
        ]);
        let measured = course.measured(5_000_000);
        let expected = [
            (Figure::RecordsPerSecond, 2000.0),
            (Figure::MegabytesPerSecond, 2.0),
            (Figure::CpuMirroring, 50.0),
            (Figure::CpuWhole, 1060.0),
            (Figure::FirstRecordMillis, 1000.0),
        ];
        for (figure, expected) in expected {
            let found = measured.get(figure).unwrap();
            assert!(
                (found - expected).abs() < 1e-6,
                "{figure:?}: {found}, not {expected}"
            );
        }
        assert_eq!(
            measured.get(Figure::CpuSecondHalf),
            None,
            "no look fell between the middle and the end"
        );
    }

    #[test]
    fn the_second_half_begins_at_the_middle_of_the_records() {
        let course = course(&[(0, 0, 0), (10, 1, 100), (20, 500, 900), (40, 1000, 1000)]);
        let found = course.measured(1).get(Figure::CpuSecondHalf).unwrap();
        assert!((found - 200.0).abs() < 1e-6, "{found}");
    }

    #[test]
    fn records_that_come_all_at_once_are_counted_from_the_look_before() {
        let course = course(&[(0, 0, 0), (100, 0, 10), (200, 1000, 30)]);
        let measured = course.measured(1);
        assert_eq!(measured.get(Figure::RecordsPerSecond), Some(10_000.0));
        assert_eq!(measured.get(Figure::FirstRecordMillis), Some(200.0));
        assert!((measured.get(Figure::CpuMirroring).unwrap() - 20.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_seen_is_nothing_measured() {
        assert_eq!(Course::default().measured(1), Measured::default());
    }
}
