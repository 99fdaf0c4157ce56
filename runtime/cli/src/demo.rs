//! `towpath demo`: the whole product on two clusters, judged record by record at the end.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, anyhow, bail};
use tokio::runtime::Runtime;

mod clusters;
mod content;
mod judge;
mod pipelines;
mod progress;
mod traffic;

use crate::failure::Failure;
use clusters::Clusters;
use content::Content;
use pipelines::Pipelines;
use progress::Progress;
use traffic::Traffic;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Orders of 1 KiB to mirror; a fifth as many payments go beside them
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(100..))]
    records: u64,
    /// Orders written per second, while they are being mirrored
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(10..))]
    rate: u64,
    /// The folder with route-by-regex and mask-field; a folder `plugins` near this program when missing
    #[arg(long, value_name = "FOLDER")]
    plugins: Option<PathBuf>,
    /// Run on this cluster as the source instead of an embedded one; the demo's topics must not be there
    #[arg(long, value_name = "SERVERS", requires = "target_bootstrap_servers")]
    source_bootstrap_servers: Option<String>,
    /// Run on this cluster as the target instead of an embedded one; the demo's topics must not be there
    #[arg(long, value_name = "SERVERS", requires = "source_bootstrap_servers")]
    target_bootstrap_servers: Option<String>,
    /// What the given clusters are, for the last line
    #[arg(long, value_name = "TEXT", default_value = "the given clusters")]
    clusters: String,
}

/// One mirrored topic of the demo.
struct Topic {
    traffic: Traffic,
    target: &'static str,
    how: &'static str,
    is_masked: bool,
}

const ORDERS: &str = "legacy.orders";
const PAYMENTS: &str = "payments";
const REPLACEMENT: &str = "***";
const LOOK: Duration = Duration::from_millis(100);
/// Without a record that moves.
const STALLED: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plugins = plugins(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the demo")?;
    let result = demo(arguments, &plugins, &runtime);
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

fn demo(arguments: &Arguments, plugins: &Path, runtime: &Runtime) -> Result<ExitCode, Failure> {
    let clusters = runtime.block_on(Clusters::start(arguments))?;
    println!(
        "two {}: source {}, target {}",
        clusters.name(),
        clusters.source(),
        clusters.target()
    );
    let topics = topics(arguments);
    runtime.block_on(clusters.create_topics(&topics))?;
    let mut pipelines = runtime.block_on(Pipelines::start(&clusters, plugins))?;
    for topic in &topics {
        println!("  {} -> {}: {}", topic.traffic.topic, topic.target, topic.how);
    }
    let mirrored = mirror(&topics, &clusters, &pipelines, runtime);
    runtime.block_on(pipelines.stop());
    mirrored?;

    let all_equal = judge::judge(&clusters, &topics)?;
    Ok(if all_equal {
        println!(
            "equal on {}: every record arrived once, in order, with the content it should have",
            clusters.name()
        );
        ExitCode::SUCCESS
    } else {
        println!("NOT EQUAL on {}", clusters.name());
        ExitCode::FAILURE
    })
}

/// Writes everything while it is mirrored, and returns when the last record is.
fn mirror(
    topics: &[Topic],
    clusters: &Clusters,
    pipelines: &Pipelines,
    runtime: &Runtime,
) -> anyhow::Result<()> {
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let (mut keeps, mut writers) = (Vec::new(), Vec::new());
        for topic in topics {
            let (keep, stop) = mpsc::channel();
            keeps.push(keep);
            let written = &written;
            writers.push(scope.spawn(move || topic.traffic.write(clusters.source(), written, &stop)));
        }
        let watched = watch(topics, pipelines, &written, runtime);
        // A demo that failed does not wait for the rest of its traffic.
        drop(keeps);
        for writer in writers {
            let result = writer.join().map_err(|_| anyhow!("a writer panicked"))?;
            result.context("records cannot be written")?;
        }
        watched
    })
}

/// Shows what moves until everything is mirrored.
fn watch(
    topics: &[Topic],
    pipelines: &Pipelines,
    written: &AtomicU64,
    runtime: &Runtime,
) -> anyhow::Result<()> {
    let total = topics.iter().map(|topic| topic.traffic.records).sum();
    let mut progress = Progress::new(total);
    let (started, mut first) = (Instant::now(), None);
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let now = pipelines.mirrored()?;
        if now.records > last {
            (last, moved) = (now.records, Instant::now());
            first.get_or_insert_with(|| started.elapsed());
        }
        progress.show(written.load(Ordering::Relaxed), now.records);
        let is_done = |topic: &Topic| now.position(topic.traffic.topic) == topic.traffic.records;
        if topics.iter().all(is_done) {
            progress.end();
            println!(
                "first records mirrored after {:.1} s, all {} after {:.1} s",
                first.unwrap_or_default().as_secs_f64(),
                crate::number::grouped(total),
                started.elapsed().as_secs_f64()
            );
            return Ok(());
        }
        if moved.elapsed() > STALLED {
            bail!(
                "nothing was mirrored for {} s; {last} records are on the target",
                STALLED.as_secs()
            );
        }
        runtime.block_on(async { tokio::time::sleep(LOOK).await });
    }
}

fn topics(arguments: &Arguments) -> [Topic; 2] {
    // An hour ago: retention leaves it alone.
    let hour_ago = SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default()
        .saturating_sub(Duration::from_secs(3600));
    let traffic = |topic, partitions, content, share| Traffic {
        topic,
        partitions,
        content,
        records: arguments.records / share,
        rate: arguments.rate / share,
        first_timestamp: i64::try_from(hour_ago.as_millis()).unwrap_or(0),
    };
    [
        Topic {
            traffic: traffic(ORDERS, 8, Content::Orders, 1),
            target: "orders",
            how: "renamed by route-by-regex, $.customer.card and $.customer.email masked by mask-field",
            is_masked: true,
        },
        Topic {
            traffic: traffic(PAYMENTS, 4, Content::Payments, 5),
            target: PAYMENTS,
            how: "passed through",
            is_masked: false,
        },
    ]
}

/// The folder with the demo's plugins.
fn plugins(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let remedy = "build the shipped plugins with `towpath-lab plugins FOLDER` and name it";
    if let Some(folder) = &arguments.plugins {
        return match folder.is_dir() {
            true => Ok(folder.clone()),
            false => Err(Failure::Input(vec![format!(
                "--plugins {}: no such folder; {remedy}",
                folder.display()
            )])),
        };
    }
    let program = std::env::current_exe().context("where this program is cannot be found out")?;
    let near = program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("plugins"));
    let found = near.into_iter().find(|folder| folder.is_dir());
    found.ok_or_else(|| {
        Failure::Input(vec![format!(
            "--plugins: no folder `plugins` near this program; {remedy}"
        )])
    })
}
