//! Comparisons for tests: source and target, read by librdkafka, as assertions.

pub mod places;

use anyhow::{Result, ensure};
use towpath_kafka::verify::{self, Endpoint, Isolation, Options, Report, Timestamps};

use crate::{broker::Broker, mask::Masker};

/// A broker's address and a topic.
pub type Topic<'a> = (&'a str, &'a str);

/// Compares two topics to their present ends, by the strictest rules.
pub fn same(source: Topic<'_>, target: Topic<'_>) -> Result<Report> {
    Ok(verify::compare(&options(source, target), None, |_, _| {})?)
}

/// Options to vary: isolation, timestamps.
pub fn options(source: Topic<'_>, target: Topic<'_>) -> Options {
    Options::new(
        Endpoint::new(source.0, source.1),
        Endpoint::new(target.0, target.1),
    )
}

/// Both topics hold the same `records` records: key, value, headers, timestamp, order.
pub fn assert_same(source: Topic<'_>, target: Topic<'_>, records: u64) -> Result<Report> {
    assert_equal(
        verify::compare(&options(source, target), None, |_, _| {})?,
        records,
    )
}

/// As [`assert_same`] for a consumer that reads uncommitted records too.
pub fn assert_same_uncommitted(source: Topic<'_>, target: Topic<'_>, records: u64) -> Result<Report> {
    let options = Options {
        isolation: Isolation::ReadUncommitted,
        ..options(source, target)
    };
    assert_equal(verify::compare(&options, None, |_, _| {})?, records)
}

/// As [`assert_same`], where only the milliseconds of timestamps must agree (LogAppendTime source, CreateTime target).
pub fn assert_same_values_of_time(source: Topic<'_>, target: Topic<'_>, records: u64) -> Result<Report> {
    let options = Options {
        timestamps: Timestamps::Value,
        ..options(source, target)
    };
    assert_equal(verify::compare(&options, None, |_, _| {})?, records)
}

/// The target holds the source's records, with values masked as the lab masks them.
pub fn assert_masked(source: Topic<'_>, target: Topic<'_>, masker: &Masker, records: u64) -> Result<Report> {
    let mask = |value: &[u8], out: &mut Vec<u8>| masker.apply(value, out);
    assert_equal(
        verify::compare(&options(source, target), Some(&mask), |_, _| {})?,
        records,
    )
}

fn assert_equal(report: Report, records: u64) -> Result<Report> {
    if let Some(difference) = report.first_difference() {
        anyhow::bail!(
            "{} of {} records on the target are equal; {difference}",
            report.compared(),
            report.target_records()
        );
    }
    ensure!(
        report.compared() == records,
        "the topics are equal, but hold {} records instead of {records}",
        report.compared()
    );
    Ok(report)
}

/// The proof of pass-through, from both brokers' segment files: data batches are equal from byte 61 on, one for one. Returns their number.
/// Control batches (transaction markers) are written by the brokers themselves and left out.
pub fn assert_passed_through(
    source: (&Broker, &str),
    target: (&Broker, &str),
    partitions: i32,
) -> Result<u64> {
    let mut batches = 0;
    for partition in 0..partitions {
        let mut left = source
            .0
            .log_batches(source.1, partition)?
            .filter(|batch| !matches!(batch, Ok(batch) if batch.is_control()));
        let mut right = target
            .0
            .log_batches(target.1, partition)?
            .filter(|batch| !matches!(batch, Ok(batch) if batch.is_control()));
        loop {
            match (left.next().transpose()?, right.next().transpose()?) {
                (None, None) => break,
                (Some(left), Some(right)) => {
                    ensure!(
                        left.body == right.body,
                        "partition {partition}: {left:?} on the source and {right:?} on the target differ from byte 61 on"
                    );
                    ensure!(
                        left.codec() == right.codec(),
                        "partition {partition}: {left:?} became {right:?}"
                    );
                    batches += 1;
                }
                (left, right) => anyhow::bail!(
                    "partition {partition} after {batches} batches: source {left:?}, target {right:?}"
                ),
            }
        }
    }
    Ok(batches)
}
