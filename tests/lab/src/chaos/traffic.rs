//! What is written on the source while everything goes wrong. What is there in the end is read from its logs, so a producer that fails is made anew, and goes on.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;

use super::{dice::Dice, schedule::Side, stage::Stage};
use crate::{
    generate::{Codec, Item, SEQ_HEADER, Sink, text},
    wait,
};

/// When a record was made, in ms since the traffic began: what was near in the schedule.
pub(super) const MADE_HEADER: &str = "made";

/// How a topic is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without idempotence: the source itself may have records twice.
    Plain,
    Idempotent,
    /// Two producers; a third of their transactions aborts, some are left open until the broker aborts them.
    Transactional,
    /// Few keys, and tombstones, while the cleaner goes on.
    Compacted,
    /// Timestamps of a year ago, which is before what brokers remember of producers.
    Old,
}

/// A topic of a run.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub name: String,
    pub partitions: i32,
    pub kind: Kind,
}

/// What the producers went through.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Producers that failed, and were made anew.
    pub failures: Mutex<Vec<String>>,
}

const PAUSE_MS: std::ops::Range<u64> = 60..240;
const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;
const PRODUCERS: u64 = 2;
/// Records of a partition before its log begins.
const GAP: u64 = 2000;

// === impl Topic ===

impl Topic {
    pub(super) fn all(prefix: &str) -> Vec<Self> {
        let topic = |name: &str, partitions, kind| Self {
            name: format!("{prefix}-{name}"),
            partitions,
            kind,
        };
        vec![
            topic("plain", 3, Kind::Plain),
            topic("idempotent", 2, Kind::Idempotent),
            topic("transactions", 2, Kind::Transactional),
            topic("compacted", 2, Kind::Compacted),
            topic("old", 2, Kind::Old),
        ]
    }

    pub(super) fn is_compacted(&self) -> bool {
        self.kind == Kind::Compacted
    }

    /// Creates it. Some logs do not begin at 0, and each partition has records.
    pub(super) fn create(&self, stage: &Stage, seed: u64) -> Result<()> {
        let admin = stage.admin(Side::Source)?;
        let configs: &[(&str, &str)] = match self.kind {
            Kind::Compacted => &[("cleanup.policy", "compact"), ("segment.bytes", "1048576")],
            _ => &[("retention.ms", "-1")],
        };
        admin.create_topic(&self.name, self.partitions, configs)?;
        let mut writer = Writer::new(self, seed, "before", Instant::now());
        let sink = writer.sink(&stage.bootstrap(Side::Source), &[])?;
        let has_gap = matches!(self.kind, Kind::Plain | Kind::Old);
        for number in 0..if has_gap { GAP * self.partitions as u64 } else { 20 } {
            let size = if has_gap { 100 } else { writer.size() };
            writer.send(&sink, size)?;
            if number % 256 == 0 {
                sink.serve();
            }
        }
        sink.finish()?;
        if has_gap {
            for partition in 0..self.partitions {
                let end = admin.offsets(&self.name)?[usize::try_from(partition)?].1;
                let before = writer.dice.number(0..u64::try_from(end)?);
                admin.delete_records(&self.name, partition, i64::try_from(before)?)?;
            }
        }
        Ok(())
    }
}

// === impl Traffic ===

impl Traffic {
    /// Writes to a topic until it is told to stop.
    pub(super) fn write(
        &self,
        topic: &Topic,
        bootstrap: &str,
        seed: u64,
        started: Instant,
        stop: &AtomicBool,
    ) {
        let mut writer = Writer::new(topic, seed, "traffic", started);
        while !stop.load(Ordering::Relaxed) {
            let result = match topic.kind {
                Kind::Transactional => writer.transactions(bootstrap, stop),
                Kind::Plain => writer.batches(bootstrap, &[("enable.idempotence", "false")], stop),
                _ => writer.batches(bootstrap, &[], stop),
            };
            if let Err(error) = result {
                let text = format!(
                    "{:.1} s: {}: {error:#}",
                    started.elapsed().as_secs_f64(),
                    topic.name
                );
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(text);
                wait::pause(Duration::from_millis(200));
            }
        }
    }
}

/// Makes records and counts them.
struct Writer<'a> {
    topic: &'a Topic,
    dice: Dice,
    seq: u64,
    started: Instant,
    /// of the next record
    partition: i32,
}

// === impl Writer ===

impl<'a> Writer<'a> {
    fn new(topic: &'a Topic, seed: u64, purpose: &str, started: Instant) -> Self {
        Self {
            topic,
            dice: Dice::new(seed, &format!("{purpose} {:?}", topic.kind)),
            // What was there before has lower numbers, and each of them occurs once.
            seq: if purpose == "before" { 0 } else { 1_000_000 },
            started,
            partition: 0,
        }
    }

    fn sink(&mut self, bootstrap: &str, properties: &[(&str, &str)]) -> Result<Sink> {
        let codec = self.dice.of(&Codec::ALL);
        let properties: Vec<(String, String)> = properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Ok(Sink::new(bootstrap, &self.topic.name, codec, &properties)?)
    }

    /// Bytes: mostly small, now and then up to 500 KiB.
    fn size(&mut self) -> usize {
        let range = match self.dice.number(0..200) {
            0 => 100_000..512_000,
            1..5 => 10_000..100_000,
            5..40 => 1000..10_000,
            _ => 100..1000,
        };
        self.dice.number(range) as usize
    }

    fn send(&mut self, sink: &Sink, size: usize) -> Result<()> {
        let number = self.seq;
        self.seq += 1;
        let choice = self.dice.number(0..u64::MAX);
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let is_compacted = self.topic.kind == Kind::Compacted;
        let key = if is_compacted && choice % 4 < 3 {
            format!("hot-{}", choice % 40)
        } else {
            format!("key-{number}")
        };
        let (seq, made) = (number.to_string(), self.started.elapsed().as_millis().to_string());
        sink.send(&Item {
            partition: self.partition,
            timestamp: match self.topic.kind {
                Kind::Old => now - YEAR_MS,
                _ => now,
            },
            key: Some(key.as_bytes()),
            value: (!is_compacted || choice % 19 != 3).then(|| text(choice, size)),
            headers: &[
                (SEQ_HEADER, Some(seq.as_bytes())),
                (MADE_HEADER, Some(made.as_bytes())),
            ],
        })?;
        self.partition = (self.partition + 1) % self.topic.partitions;
        Ok(())
    }

    fn some(&mut self, sink: &Sink) -> Result<()> {
        for _ in 0..self.dice.number(1..20) {
            let size = self.size();
            self.send(sink, size)?;
        }
        Ok(())
    }

    fn pause(&mut self) {
        wait::pause(Duration::from_millis(self.dice.number(PAUSE_MS)));
    }

    /// With one producer, until something fails.
    fn batches(&mut self, bootstrap: &str, properties: &[(&str, &str)], stop: &AtomicBool) -> Result<()> {
        let sink = self.sink(bootstrap, properties)?;
        while !stop.load(Ordering::Relaxed) {
            self.some(&sink)?;
            // Several requests on the wire, sometimes.
            if self.dice.percent(70) {
                sink.finish()?;
            }
            self.pause();
        }
        Ok(sink.finish()?)
    }

    /// With two producers in turns, whose transactions overlap.
    fn transactions(&mut self, bootstrap: &str, stop: &AtomicBool) -> Result<()> {
        let mut sinks = Vec::new();
        for producer in 0..PRODUCERS {
            let id = format!("{}-{producer}", self.topic.name);
            let sink = self.sink(
                bootstrap,
                &[
                    ("transactional.id", &id),
                    ("transaction.timeout.ms", "15000"),
                    ("message.timeout.ms", "15000"),
                ],
            )?;
            sink.init_transactions()?;
            sinks.push(sink);
        }
        while !stop.load(Ordering::Relaxed) {
            for sink in &sinks {
                sink.begin_transaction()?;
            }
            for _ in 0..self.dice.number(1..4) {
                for sink in &sinks {
                    self.some(sink)?;
                }
            }
            for sink in &sinks {
                // Everything is in the log before it is aborted: librdkafka would drop what it still holds.
                sink.finish()?;
                match self.dice.number(0..30) {
                    0..10 => sink.abort_transaction()?,
                    // Left open, as by a crash: whoever takes the id over next aborts it, or the broker does.
                    10 => return Ok(()),
                    _ => sink.commit_transaction()?,
                }
            }
            self.pause();
        }
        Ok(())
    }
}
