//! `towpath-lab demo`: the whole product on two real brokers, judged at the end.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rdkafka::Message;
use towpath_kafka::verify::{self, Report};
use towpath_lab::{
    broker::Pair,
    compare,
    generate::{Generated, Traffic},
    mask::Masker,
    plugins,
    read::{self, Isolation},
    towpath::{Connector, Status, Worker},
    wait,
};

use super::grouped;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Orders of 1 KiB to mirror; a fifth as many payments go beside them
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(100..))]
    records: u64,
    /// Orders written per second, while they are being mirrored
    #[arg(long, default_value_t = 50_000)]
    rate: u64,
    /// A folder with the components; they are built when missing
    #[arg(long)]
    plugins: Option<PathBuf>,
}

/// One mirrored topic of the demo.
struct Topic {
    source: &'static str,
    target: &'static str,
    traffic: Traffic,
    how: &'static str,
    masker: Option<Masker>,
}

const REPLACEMENT: &str = "***";
const CAUGHT_UP: Duration = Duration::from_secs(600);

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plugins = match &arguments.plugins {
        Some(folder) => folder.clone(),
        None => plugins::folder()?,
    };
    println!(
        "starting two Apache Kafka {} brokers",
        towpath_lab::kafka::VERSION
    );
    let pair = Pair::start()?;
    println!(
        "  source {}, target {}",
        pair.source.bootstrap(),
        pair.target.bootstrap()
    );
    let topics = topics(arguments);
    for topic in &topics {
        pair.source.admin()?.create_topic(
            topic.source,
            topic.traffic.partitions,
            &[("retention.ms", "-1")],
        )?;
    }
    let mut worker = worker(&pair, &plugins)?;
    for topic in &topics {
        println!("  {} -> {}: {}", topic.source, topic.target, topic.how);
    }

    let written = AtomicU64::new(0);
    let total = topics.iter().map(|topic| topic.traffic.records).sum();
    let generated = thread::scope(|scope| {
        let generators: Vec<_> = topics
            .iter()
            .map(|topic| {
                let (written, bootstrap) = (&written, pair.source.bootstrap());
                scope.spawn(move || {
                    let mut before = 0;
                    topic.traffic.produce_with(bootstrap, |sent| {
                        written.fetch_add(sent - before, Ordering::Relaxed);
                        before = sent;
                    })
                })
            })
            .collect();
        worker.start()?;
        let mut progress = Progress::new(total);
        while generators.iter().any(|generator| !generator.is_finished()) {
            progress.show(&mut worker, written.load(Ordering::Relaxed))?;
            wait::pause(Duration::from_millis(250));
        }
        let join = |generator: thread::ScopedJoinHandle<'_, Result<Generated>>| {
            generator.join().unwrap_or_else(|_| bail!("a generator panicked"))
        };
        let generated = generators.into_iter().map(join).collect::<Result<Vec<_>>>()?;
        for topic in &topics {
            wait_until_mirrored(&pair, topic, &mut worker, |worker| progress.show(worker, total))?;
        }
        progress.end(&mut worker)?;
        anyhow::Ok(generated)
    })?;

    let process = worker.process()?;
    let (cpu, peak) = (process.cpu_time()?, process.peak_resident_bytes()?);
    worker.stop()?;
    println!(
        "worker stopped; it used {:.1} s of CPU and at most {} MiB",
        cpu.as_secs_f64(),
        peak >> 20
    );
    let all_equal = judge(&pair, &topics, &generated)?;
    println!(
        "{}",
        if all_equal {
            "equal: every record arrived once, in order, with the content it should have"
        } else {
            "NOT EQUAL"
        }
    );
    Ok(if all_equal {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn topics(arguments: &Arguments) -> [Topic; 2] {
    let orders = Traffic::orders("legacy.orders", 8, arguments.records).pace(arguments.rate);
    let payments = Traffic::text("payments", 4, arguments.records / 5, 512).pace(arguments.rate / 5);
    [
        Topic {
            source: "legacy.orders",
            target: "orders",
            traffic: orders,
            how: "renamed by route-by-regex, $.customer.card and $.customer.email masked by mask-field",
            masker: Some(Masker::orders(REPLACEMENT)),
        },
        Topic {
            source: "payments",
            target: "payments",
            traffic: payments,
            how: "passed through",
            masker: None,
        },
    ]
}

fn worker(pair: &Pair, plugins: &std::path::Path) -> Result<Worker> {
    let plugins = plugins
        .to_str()
        .context("the folder of plugins has a plain name")?;
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("plugin.path", plugins),
    ])?;
    let orders = Connector::mirror("orders", pair.source.bootstrap())
        .set("topics", r"legacy\.orders")
        .set("transforms", "remap,mask")
        .set("transforms.remap.type", "route-by-regex")
        .set("transforms.remap.regex", r"^legacy\.(.*)$")
        .set("transforms.remap.replacement", "$1")
        .set("transforms.remap.reverse.regex", "^(.*)$")
        .set("transforms.remap.reverse.replacement", "legacy.$1")
        .set("transforms.mask.type", "mask-field")
        .set("transforms.mask.fields", "$.customer.card,$.customer.email")
        .set("transforms.mask.replacement", REPLACEMENT);
    worker.connector(&orders)?;
    worker.connector(&Connector::mirror("payments", pair.source.bootstrap()).set("topics", "payments"))?;
    Ok(worker)
}

/// Compares every topic and prints the table. True when all is equal.
fn judge(pair: &Pair, topics: &[Topic], generated: &[Generated]) -> Result<bool> {
    println!(
        "\n{:<30} {:>12} {:>12} {:>12} {:>12}",
        "topic", "written", "source", "target", "equal"
    );
    let mut all_equal = true;
    for (topic, generated) in topics.iter().zip(generated) {
        let report = verify(pair, topic)?;
        let (written, source, target) = (
            generated.total(),
            report.source_records(),
            report.target_records(),
        );
        let equal = report.is_equal() && written == source && written == target;
        all_equal &= equal;
        let name = if topic.source == topic.target {
            topic.source.to_owned()
        } else {
            format!("{} -> {}", topic.source, topic.target)
        };
        println!(
            "{name:<30} {:>12} {:>12} {:>12} {:>12}",
            grouped(written),
            grouped(source),
            grouped(target),
            grouped(report.compared())
        );
        if let Some(difference) = report.first_difference() {
            println!("  first difference: {difference}");
        }
    }
    println!();
    for topic in topics.iter().filter(|topic| topic.masker.is_some()) {
        println!(
            "{} on the source: {}",
            topic.source,
            first_value(pair.source.bootstrap(), topic.source)?
        );
        println!(
            "{} on the target:        {}\n",
            topic.target,
            first_value(pair.target.bootstrap(), topic.target)?
        );
    }
    Ok(all_equal)
}

fn verify(pair: &Pair, topic: &Topic) -> Result<Report> {
    let options = compare::options(
        (pair.source.bootstrap(), topic.source),
        (pair.target.bootstrap(), topic.target),
    );
    let terminal = std::io::stderr().is_terminal();
    let show = |passed, total| {
        if terminal {
            eprint!(
                "\r\x1b[2K{}: compared {} of {}\r",
                topic.target,
                grouped(passed),
                grouped(total)
            );
        }
    };
    let mask = topic
        .masker
        .as_ref()
        .map(|masker| |value: &[u8], out: &mut Vec<u8>| masker.apply(value, out));
    let report = verify::compare(
        &options,
        mask.as_ref().map(|mask| mask as &verify::Mask<'_>),
        show,
    )?;
    if terminal {
        eprint!("\x1b[2K");
    }
    Ok(report)
}

/// The beginning of the first record of partition 0.
fn first_value(bootstrap: &str, topic: &str) -> Result<String> {
    let mut first = None;
    // The first record is all that is wanted: an error ends the reading.
    let read = read::topic(bootstrap, topic, Isolation::ReadCommitted, |message| {
        if message.partition() == 0 {
            let value = message.payload().unwrap_or_default();
            first = Some(String::from_utf8_lossy(&value[..value.len().min(150)]).into_owned());
            bail!("found");
        }
        Ok(())
    });
    match first {
        Some(value) => Ok(format!("{value}...")),
        None => read.map(|_| String::new()),
    }
}

/// Waits until all of a topic is mirrored, with the live line going on.
fn wait_until_mirrored(
    pair: &Pair,
    topic: &Topic,
    worker: &mut Worker,
    mut show: impl FnMut(&mut Worker) -> Result<()>,
) -> Result<()> {
    let ends = pair.source.admin()?.offsets(topic.source)?;
    let started = Instant::now();
    loop {
        show(worker)?;
        if let Some(status) = worker.status()?
            && (0..).zip(&ends).all(|(partition, (_, end))| {
                *end == 0 || status.position(topic.source, partition) >= Some(*end)
            })
        {
            return Ok(());
        }
        if started.elapsed() > CAUGHT_UP {
            bail!(
                "{} was not mirrored within {} s of its last record",
                topic.source,
                CAUGHT_UP.as_secs()
            );
        }
        wait::pause(Duration::from_millis(100));
    }
}

/// The live line.
struct Progress {
    total: u64,
    started: Instant,
    terminal: bool,
    last: (Instant, u64),
    rate: f64,
    shown: Option<Instant>,
}

// === impl Progress ===

impl Progress {
    fn new(total: u64) -> Self {
        let now = Instant::now();
        Self {
            total,
            started: now,
            terminal: std::io::stderr().is_terminal(),
            last: (now, 0),
            rate: 0.0,
            shown: None,
        }
    }

    fn show(&mut self, worker: &mut Worker, written: u64) -> Result<()> {
        if let Some(status) = worker.process()?.ended()? {
            let tail = worker.process()?.log_tail(20);
            bail!("the worker ended with {status}:\n{tail}");
        }
        let interval = Duration::from_millis(if self.terminal { 250 } else { 2000 });
        if self.shown.is_some_and(|shown| shown.elapsed() < interval) {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        let Some(status) = worker.status()? else {
            return Ok(());
        };
        if let Some(trace) = status.failure() {
            bail!("a task failed: {trace}");
        }
        self.print(&status, written)
    }

    fn print(&mut self, status: &Status, written: u64) -> Result<()> {
        let mirrored = status.mirrored().records;
        let since = self.last.0.elapsed().as_secs_f64();
        if since > 0.9 {
            self.rate = mirrored.saturating_sub(self.last.1) as f64 / since;
            self.last = (Instant::now(), mirrored);
        }
        let line = format!(
            "written {} of {}, mirrored {} ({} records/s), lag {}",
            grouped(written),
            grouped(self.total),
            grouped(mirrored),
            grouped(self.rate as u64),
            grouped(status.lag().unsigned_abs())
        );
        let mut stderr = std::io::stderr();
        if self.terminal {
            write!(stderr, "\r\x1b[2K{line}")?
        } else {
            writeln!(stderr, "{line}")?
        }
        Ok(stderr.flush()?)
    }

    fn end(&mut self, worker: &mut Worker) -> Result<()> {
        self.shown = None;
        self.show(worker, self.total)?;
        if self.terminal {
            eprintln!();
        }
        println!(
            "all mirrored {:.1} s after the first record was written",
            self.started.elapsed().as_secs_f64()
        );
        Ok(())
    }
}
