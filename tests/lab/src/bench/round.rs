//! The runs of a row: contenders in turn, each into an empty topic, each copy compared before its figures count.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use towpath_kafka::verify;

use super::{
    Column, Contender, Figure, Measured, Options, Row, RowReport, What,
    contender::{Job, Link, MASKED, REPLACEMENT, Running, Work},
    latency::Steady,
    row::{PARTITION_COUNTS, STEADY_RATE},
    sample::{Course, Ends},
};
use crate::{
    broker::{Broker, Pair},
    compare,
    generate::{Item, SEQ_HEADER, Sink, Traffic},
    mask::Masker,
    number::short,
    wait,
};

/// All rounds of one row.
pub(super) struct Rounds<'a> {
    pair: &'a Pair,
    row: &'a Row,
    options: &'a Options,
}

/// A column of the table: who mirrors what.
struct Entry {
    label: String,
    contender: Contender,
    partitions: i32,
    topic: String,
}

/// Records one after the other for the same partition in [`What::Partitions`]: they make a batch, on however many partitions.
const IN_A_BATCH: u64 = 64;
const RETENTION: [(&str, &str); 1] = [("retention.ms", "-1")];
const GONE: Duration = Duration::from_secs(60);
/// Between the last record and the measuring of idleness.
const SETTLE: Duration = Duration::from_secs(3);
/// Seconds of steady traffic that do not count: the brokers are young, and compile what they do while they do it.
const WARM_UP: u64 = 15;
const MIB: f64 = 1024.0 * 1024.0;

// === impl Rounds ===

impl<'a> Rounds<'a> {
    pub(super) fn new(pair: &'a Pair, row: &'a Row, options: &'a Options) -> Self {
        Self { pair, row, options }
    }

    pub(super) fn run(&self, tell: &mut impl FnMut(&str)) -> Result<RowReport> {
        tell(&format!("{}: {}", self.row.name(), self.row.title()));
        let entries = self.entries();
        let mut columns: Vec<Column> = entries
            .iter()
            .map(|entry| Column {
                label: entry.label.clone(),
                rounds: Vec::new(),
            })
            .collect();
        let bytes = self.fill(&entries)?;
        for round in 0..self.options.rounds {
            // Who is second in one round is first in the next: ABBA.
            let mut order: Vec<usize> = (0..entries.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let entry = &entries[index];
                let measured = self
                    .once(entry, round, bytes)
                    .with_context(|| format!("{}, round {}", entry.label, round + 1))?;
                tell(&line(entry, round, &measured));
                columns[index].rounds.push(measured);
            }
        }
        if self.row.what != What::Steady {
            for topic in topics(&entries) {
                delete(&self.pair.source, topic)?;
            }
        }
        Ok(RowReport {
            name: self.row.name(),
            title: self.row.title(),
            records: self.row.records,
            value_bytes: self.row.value_bytes,
            columns,
        })
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |contender: Contender, partitions: i32, label: String| Entry {
            label,
            contender,
            partitions,
            topic: format!("bench-{}-{partitions}", self.row.name()),
        };
        match self.row.what {
            What::Partitions => PARTITION_COUNTS
                .iter()
                .map(|count| entry(Contender::Towpath, *count, format!("{count} partitions")))
                .collect(),
            What::Idle => vec![entry(
                Contender::Towpath,
                self.row.partitions,
                Contender::Towpath.name().to_owned(),
            )],
            What::Copy | What::Tls | What::Mask | What::Steady => {
                [Some(Contender::Towpath), self.options.against]
                    .into_iter()
                    .flatten()
                    .map(|contender| entry(contender, self.row.partitions, contender.name().to_owned()))
                    .collect()
            }
        }
    }

    /// Writes the source topics that all rounds share. Returns the bytes of keys and values of one.
    fn fill(&self, entries: &[Entry]) -> Result<u64> {
        let mut bytes = 0;
        if self.row.what == What::Steady {
            return Ok(bytes);
        }
        for topic in topics(entries) {
            let partitions = entries
                .iter()
                .find(|entry| entry.topic == topic)
                .map_or(self.row.partitions, |entry| entry.partitions);
            create(&self.pair.source, topic, partitions)?;
            let traffic = self.row.traffic(topic, partitions);
            bytes = match self.row.what {
                What::Partitions => produce_in_batches(&traffic, self.pair.source.bootstrap())?,
                _ => traffic.produce(self.pair.source.bootstrap())?.bytes,
            };
        }
        Ok(bytes)
    }

    /// One run of one contender.
    fn once(&self, entry: &Entry, round: u32, bytes: u64) -> Result<Measured> {
        if self.row.what == What::Steady {
            create(&self.pair.source, &entry.topic, entry.partitions)?;
            self.row
                .traffic(&entry.topic, entry.partitions)
                .produce(self.pair.source.bootstrap())?;
        }
        create(&self.pair.target, &entry.topic, entry.partitions)?;
        let job = self.job(entry, round);
        let ends = Ends::new(self.pair.target.bootstrap(), &entry.topic, entry.partitions)?;
        let mut running = entry.contender.start(&job)?;
        let started = running.started;
        let course = Course::watch(&mut running, &ends, started, self.row.records)?;
        let mut measured = match self.row.what {
            What::Copy | What::Tls | What::Mask | What::Partitions => course.measured(bytes),
            What::Steady | What::Idle => Measured::default(),
        };
        let mut records = self.row.records;
        if self.row.what == What::Steady {
            records += self.steady(entry, &mut measured)?;
        }
        if matches!(self.row.what, What::Steady | What::Idle) {
            idle(&mut running, Duration::from_secs(self.row.seconds), &mut measured)?;
        }
        let peak = running.process()?.peak_resident_bytes()?;
        measured.set(Figure::PeakResidentMib, peak as f64 / MIB);
        running.stop()?;
        self.verify(entry, records)?;
        delete(&self.pair.target, &entry.topic)?;
        if self.row.what == What::Steady {
            delete(&self.pair.source, &entry.topic)?;
        }
        Ok(measured)
    }

    fn job<'j>(&'j self, entry: &'j Entry, round: u32) -> Job<'j> {
        Job {
            pair: self.pair,
            topic: &entry.topic,
            partitions: entry.partitions,
            name: format!("{}-{}-{round}", entry.topic, entry.contender.name()),
            work: match self.row.what {
                What::Mask => Work::Mask,
                _ => Work::PassThrough,
            },
            link: match self.row.what {
                What::Tls => Link::Tls,
                _ => Link::Plain,
            },
            falsify: self.options.falsify,
        }
    }

    /// Returns the records that it wrote.
    fn steady(&self, entry: &Entry, measured: &mut Measured) -> Result<u64> {
        let records = (WARM_UP + self.row.seconds) * STEADY_RATE;
        let steady = Steady {
            traffic: self.row.traffic(&entry.topic, entry.partitions).then(records),
            rate: STEADY_RATE,
            warm_up: WARM_UP * STEADY_RATE,
        };
        steady.measure(self.pair, measured)?;
        Ok(records)
    }

    /// A figure of a copy that is not whole is worth nothing.
    fn verify(&self, entry: &Entry, records: u64) -> Result<()> {
        let options = compare::options(
            (self.pair.source.bootstrap(), &entry.topic),
            (self.pair.target.bootstrap(), &entry.topic),
        );
        let masker = Masker::new(&MASKED, REPLACEMENT)?;
        let mask = |value: &[u8], out: &mut Vec<u8>| masker.apply(value, out);
        let expected = (self.row.what == What::Mask).then_some(&mask as &verify::Mask<'_>);
        let report = verify::compare(&options, expected, |_, _| {})?;
        if let Some(difference) = report.first_difference() {
            anyhow::bail!("the copy is false, so there are no figures: {difference}");
        }
        ensure!(
            report.compared() == records,
            "the source has {} records instead of {records}",
            report.compared()
        );
        Ok(())
    }
}

fn idle(running: &mut Running, time: Duration, measured: &mut Measured) -> Result<()> {
    wait::pause(SETTLE);
    let process = running.process()?;
    let (before, started) = (process.cpu_time()?, Instant::now());
    wait::pause(time);
    let used = process.cpu_time()?.saturating_sub(before);
    let percent = used.as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
    measured.set(Figure::IdlePercent, percent);
    measured.set(Figure::IdleResidentMib, process.resident_bytes()? as f64 / MIB);
    Ok(())
}

fn topics(entries: &[Entry]) -> Vec<&str> {
    let mut topics: Vec<&str> = entries.iter().map(|entry| entry.topic.as_str()).collect();
    topics.dedup();
    topics
}

fn create(broker: &Broker, topic: &str, partitions: i32) -> Result<()> {
    broker.admin()?.create_topic(topic, partitions, &RETENTION)
}

fn delete(broker: &Broker, topic: &str) -> Result<()> {
    let admin = broker.admin()?;
    admin.delete_topic(topic)?;
    wait::until(&format!("the end of {topic}"), GONE, || {
        Ok(admin.partitions(topic)?.is_none().then_some(()))
    })
}

/// Writes the traffic so that batches are alike on however many partitions. Returns the bytes of keys and values.
fn produce_in_batches(traffic: &Traffic, bootstrap: &str) -> Result<u64> {
    let partitions = u64::from(traffic.partitions.unsigned_abs());
    let sink = Sink::new(bootstrap, &traffic.topic, traffic.codec, &traffic.properties)?;
    let (mut key, mut value, mut bytes) = (Vec::new(), Vec::new(), 0);
    for seq in 0..traffic.records {
        if seq.is_multiple_of(256) {
            sink.serve();
        }
        key.clear();
        value.clear();
        traffic.key(seq, &mut key);
        traffic.value(seq, &mut value);
        sink.send(&Item {
            partition: i32::try_from(seq / IN_A_BATCH % partitions)?,
            timestamp: traffic.timestamp(seq),
            key: Some(&key),
            value: Some(&value),
            headers: &[(SEQ_HEADER, Some(seq.to_string().as_bytes()))],
        })?;
        bytes += (key.len() + value.len()) as u64;
    }
    sink.finish()?;
    Ok(bytes)
}

fn line(entry: &Entry, round: u32, measured: &Measured) -> String {
    let figures: Vec<String> = Figure::ALL
        .into_iter()
        .filter_map(|figure| Some(format!("{} {}", figure.title(), short(measured.get(figure)?))))
        .collect();
    format!("  round {} {}: {}", round + 1, entry.label, figures.join("; "))
}
