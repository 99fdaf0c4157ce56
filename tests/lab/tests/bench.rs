//! The benchmark as a program: every figure is there, and a copy that is false gives none. What the figures are is not judged here.

use std::{
    process::{Command, Output},
    sync::Mutex,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const COPYING: [&str; 6] = [
    "records_per_second",
    "megabytes_per_second",
    "cpu_mirroring",
    "cpu_whole",
    "peak_resident_mib",
    "first_record_millis",
];
const STEADY: [&str; 5] = [
    "added_latency_p50_millis",
    "added_latency_p99_millis",
    "idle_percent",
    "idle_resident_mib",
    "peak_resident_mib",
];

/// One at a time: each has brokers of its own.
fn bench(arguments: &[&str]) -> Result<Output> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    Ok(Command::new(env!("CARGO_BIN_EXE_towpath-lab"))
        .arg("bench")
        .args(arguments)
        .output()?)
}

fn report(arguments: &[&str]) -> Result<Value> {
    let output = bench(&[arguments, &["--output", "json"]].concat())?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("stdout is JSON and nothing else")
}

/// Every column of a row has these figures in every round.
fn assert_figures(report: &Value, row: &str, labels: &[&str], figures: &[&str], rounds: usize) -> Result<()> {
    let rows = report["rows"].as_array().context("rows")?;
    let found = rows
        .iter()
        .find(|found| found["name"] == row)
        .with_context(|| format!("no row {row}"))?;
    let columns = found["columns"].as_array().context("columns")?;
    let found_labels: Vec<&str> = columns
        .iter()
        .filter_map(|column| column["label"].as_str())
        .collect();
    assert_eq!(found_labels, labels, "{row}");
    for column in columns {
        let measured = column["rounds"].as_array().context("rounds")?;
        assert_eq!(measured.len(), rounds, "{column}");
        for round in measured {
            for figure in figures {
                let value = round[*figure].as_f64();
                assert!(
                    value.is_some_and(f64::is_finite),
                    "{row}: no {figure} in {column}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn mirror_maker_and_towpath_mask_the_same_records_and_both_are_measured() -> Result<()> {
    let report = report(&[
        "--against",
        "mm2",
        "--plugin",
        "mask-field",
        "--records",
        "20000",
        "--repeat",
        "1",
    ])?;
    assert_figures(&report, "mask", &["towpath", "mm2"], &COPYING, 1)?;
    assert!(report["rows"][0]["advantage"]["mm2"]["cpu_whole"]["median"].is_number());
    for part in [
        "cpu",
        "load_average",
        "rustc",
        "java",
        "kafka",
        "towpath",
        "command",
    ] {
        let text = report["machine"][part].as_str().unwrap_or_default();
        assert!(!text.is_empty() && text != "unknown", "{part}: {text:?}");
    }
    Ok(())
}

#[test]
fn latency_and_idleness_of_both_are_measured() -> Result<()> {
    let report = report(&[
        "--against",
        "rdkafka",
        "--rows",
        "latency,idle",
        "--records",
        "5000",
        "--partitions",
        "8",
        "--repeat",
        "1",
        "--seconds",
        "2",
    ])?;
    assert_figures(&report, "latency", &["towpath", "rdkafka"], &STEADY, 1)?;
    assert_figures(&report, "idle", &["towpath"], &STEADY[2..], 1)
}

#[test]
fn a_false_copy_gives_no_figures() -> Result<()> {
    let output = bench(&[
        "--against",
        "rdkafka",
        "--size",
        "100",
        "--records",
        "5000",
        "--repeat",
        "1",
        "--falsify",
        "4321",
    ])?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(output.stdout.is_empty(), "no figure may be printed");
    for part in ["rdkafka, round 1", "the copy is false", "the values differ"] {
        assert!(errors.contains(part), "{part:?} is missing in {errors}");
    }
    Ok(())
}
