//! The chaos run: workers, brokers and networks fail by a schedule that is drawn from a seed, while a source is written to and read from. In the end everything is
//! healed, and an independent client says whether each committed record is on the target once, in order, where it belongs, and whether each consumer group goes on at
//! the right record.
//!
//! Each topic is mirrored twice: under its own name with the source's offsets (`preserve`), and under another name with others (`translate`).
//!
//! ```no_run
//! # use std::time::Duration;
//! # use towpath_lab::chaos::{self, Setting, Stage};
//! let mut stage = Stage::start(1)?;
//! let setting = Setting { seed: 7, duration: Duration::from_secs(60), workers: 3, brokers: 1 };
//! println!("{}", chaos::run(&mut stage, &setting)?);
//! # anyhow::Ok(())
//! ```

mod crew;
mod dice;
mod groups;
mod judge;
mod log;
mod performance;
mod report;
mod schedule;
mod stage;
mod traffic;
mod watch;

use anyhow::Result;

use self::{judge::Judge, performance::Performance};
pub use self::{
    log::Deviation,
    report::Report,
    schedule::{Action, Event, Schedule, Setting, Side},
    stage::Stage,
};

/// One run. What is not as it must be is in the report; an error says that the lab could not finish.
pub fn run(stage: &mut Stage, setting: &Setting) -> Result<Report> {
    let mut performance = Performance::prepare(stage, setting)?;
    let judged = performance.run(stage).and_then(|()| {
        let mut judge = Judge::new(stage, &mut performance);
        judge.judge()
    });
    if let Err(error) = &judged {
        performance.failed(format!("the run could not be finished: {error:#}"));
    }
    Report::new(stage, performance, judged.unwrap_or_default())
}
