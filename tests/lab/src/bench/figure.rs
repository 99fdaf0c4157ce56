//! What is measured, and the arithmetic on it.

use std::collections::BTreeMap;

use serde::Serialize;

/// A kind of number, in the order in which tables show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Between the first and the last record on the target.
    RecordsPerSecond,
    /// Of keys and values, uncompressed; 10^6 bytes.
    MegabytesPerSecond,
    /// User and system time of the whole process between the first and the last record on the target: seconds a million records.
    CpuMirroring,
    /// The same from the middle of the records to the last one: what a compiler that works while the program runs has done by then is left out.
    CpuSecondHalf,
    /// The same from the start of the process to the last record.
    CpuWhole,
    PeakResidentMib,
    /// From the start of the process until a record is on the target, ms.
    FirstRecordMillis,
    /// From a record's arrival at a consumer of the source to its arrival at one of the target, ms.
    AddedLatencyP50Millis,
    AddedLatencyP99Millis,
    /// While nothing is written to the source: percent of a core.
    IdlePercent,
    /// While nothing is written to the source, MiB.
    IdleResidentMib,
}

/// What one run of one contender gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Measured(BTreeMap<Figure, f64>);

/// Of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

// === impl Figure ===

impl Figure {
    pub const ALL: [Self; 11] = [
        Self::RecordsPerSecond,
        Self::MegabytesPerSecond,
        Self::CpuMirroring,
        Self::CpuSecondHalf,
        Self::CpuWhole,
        Self::PeakResidentMib,
        Self::FirstRecordMillis,
        Self::AddedLatencyP50Millis,
        Self::AddedLatencyP99Millis,
        Self::IdlePercent,
        Self::IdleResidentMib,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::RecordsPerSecond => "records/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::CpuMirroring => "CPU s a million records, mirroring",
            Self::CpuSecondHalf => "CPU s a million records, second half",
            Self::CpuWhole => "CPU s a million records, with start",
            Self::PeakResidentMib => "peak RSS, MiB",
            Self::FirstRecordMillis => "start to first record, ms",
            Self::AddedLatencyP50Millis => "added latency at 1,000 records/s, p50 ms",
            Self::AddedLatencyP99Millis => "added latency at 1,000 records/s, p99 ms",
            Self::IdlePercent => "CPU when idle, % of a core",
            Self::IdleResidentMib => "RSS when idle, MiB",
        }
    }

    fn is_better_when_higher(self) -> bool {
        matches!(self, Self::RecordsPerSecond | Self::MegabytesPerSecond)
    }

    /// How many times better the first is. None where one of them is too small to divide by.
    pub fn advantage(self, first: f64, other: f64) -> Option<f64> {
        let (above, below) = if self.is_better_when_higher() {
            (first, other)
        } else {
            (other, first)
        };
        (above > 0.0 && below > 0.0).then(|| above / below)
    }
}

// === impl Measured ===

impl Measured {
    pub fn set(&mut self, figure: Figure, value: f64) {
        self.0.insert(figure, value);
    }

    pub fn get(&self, figure: Figure) -> Option<f64> {
        self.0.get(&figure).copied()
    }
}

// === impl Spread ===

impl Spread {
    /// None of no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { min, median, max })
    }
}

/// The smallest value that `percent` of the sorted values do not exceed (nearest rank).
pub(super) fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_records_and_less_of_all_else_is_better() {
        assert_eq!(Figure::RecordsPerSecond.advantage(400.0, 100.0), Some(4.0));
        assert_eq!(Figure::CpuMirroring.advantage(0.5, 14.0), Some(28.0));
        assert_eq!(Figure::IdlePercent.advantage(0.0, 3.0), None);
    }

    #[test]
    fn the_spread_of_rounds() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).map(|s| (s.min, s.median, s.max));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some((1.0, 2.5, 4.0)));
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), Some(100.0));
        assert_eq!(percentile(&values, 99.0), Some(198.0));
        assert_eq!(percentile(&values, 100.0), Some(200.0));
        assert_eq!(percentile(&values[..1], 50.0), Some(1.0));
        assert_eq!(percentile(&[], 50.0), None);
    }
}
