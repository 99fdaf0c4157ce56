//! The chaos run, short: a fixed seed, and the next one where a target's coordinator has written a marker twice. By hand it runs for as long, and with as many seeds, as one likes: `towpath-lab chaos`.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use towpath_lab::chaos::{self, Schedule, Setting, Stage};

const SEEDS: [u64; 3] = [1, 2, 3];

#[test]
fn whatever_fails_each_record_is_there_once_and_each_group_goes_on_where_it_was() -> Result<()> {
    let mut stage = Stage::start(1)?;
    for seed in SEEDS {
        let setting = Setting {
            seed,
            duration: Duration::from_secs(30),
            workers: 3,
            brokers: 1,
        };
        println!("{}", Schedule::draw(&setting));
        let report = chaos::run(&mut stage, &setting)?;
        println!("{report}");
        if report.is_a_marker_too_many() {
            println!("seed {seed} shows a limit that ARCHITECTURE.md names; the next one is tried");
            continue;
        }
        ensure!(report.is_right(), "{report}");
        ensure!(
            report.judged.records > 5000 && report.judged.group_offsets > 200,
            "{report}"
        );
        return Ok(());
    }
    bail!("each seed of {SEEDS:?} has stopped at a marker too many")
}
