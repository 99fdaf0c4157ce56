//! Mirrors beside each other: on the same brokers, with the same data, in one call, and no figure without a comparison of every record.
//!
//! A [`Row`] is something to measure, a [`Contender`] a mirror. Contenders run one after the other, never at once, and take turns in who
//! is first (ABBA), so that a machine that gets slower or faster meanwhile favours nobody. What is compared in the end are the ratios
//! within each round.

mod contender;
mod figure;
mod latency;
mod machine;
mod mirror_maker;
pub mod rdkafka_mirror;
mod report;
mod round;
mod row;
mod sample;

use anyhow::Result;

use crate::{
    broker::{BrokerOptions, Listener, Pair},
    kafka::Kafka,
};

pub use self::{
    contender::Contender,
    figure::{Figure, Measured},
    machine::Machine,
    report::{Column, Report, RowReport},
    row::{Row, What},
};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Beside Towpath; none: Towpath alone.
    pub against: Option<Contender>,
    pub rows: Vec<Row>,
    pub rounds: u32,
    /// For the test that a false copy is found: the contender that can do it changes this record.
    pub falsify: Option<u64>,
}

// === impl Options ===

impl Options {
    /// Measures every row; one that fails has no figures, and is in [`Report::failed`]. `tell` gets a line after each step.
    pub fn run(&self, mut tell: impl FnMut(&str)) -> Result<Report> {
        let machine = Machine::here(&Kafka::fetch()?)?;
        tell(&machine.to_string());
        let pair = Pair::start_with(broker("source"), broker("target"))?;
        let (mut rows, mut failed) = (Vec::new(), Vec::new());
        for row in &self.rows {
            // Half an hour of figures is not lost with one row.
            match round::Rounds::new(&pair, row, self).run(&mut tell) {
                Ok(report) => rows.push(report),
                Err(error) => failed.push(format!("row {}: {error:#}", row.name())),
            }
        }
        Ok(Report {
            version: 1,
            machine,
            rounds: self.rounds,
            rows,
            failed,
        })
    }
}

/// As every broker of the lab; after a topic is deleted, its room on the disk is there again soon.
fn broker(name: &str) -> BrokerOptions {
    BrokerOptions::named(name)
        .property("log.segment.delete.delay.ms", "1000")
        .listener(Listener::Tls)
}
