//! `towpath-lab generate`: traffic by hand.

use anyhow::Result;
use clap::ValueEnum;
use towpath_lab::generate::{Codec, Content, Pace, Traffic};

use super::grouped;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The broker, host:port
    bootstrap: String,
    /// A topic that exists
    topic: String,
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Sequence number of the first record
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Partitions of the topic
    #[arg(long, default_value_t = 8)]
    partitions: i32,
    /// Size of a value, bytes
    #[arg(long, default_value_t = 1024)]
    size: usize,
    #[arg(long, value_enum, default_value = "lz4")]
    codec: CodecArgument,
    #[arg(long, value_enum, default_value = "orders")]
    content: ContentArgument,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Timestamp of record 0, ms since 1970; an hour ago when missing
    #[arg(long)]
    base_timestamp: Option<i64>,
    /// Records a second; unlimited when missing
    #[arg(long)]
    rate: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum CodecArgument {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Clone, Copy, ValueEnum)]
enum ContentArgument {
    Orders,
    Text,
    Random,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let usual = Traffic::orders(&arguments.topic, arguments.partitions, arguments.records);
    let traffic = Traffic {
        base_timestamp: arguments.base_timestamp.unwrap_or(usual.base_timestamp),
        first: arguments.first,
        value_bytes: arguments.size,
        codec: match arguments.codec {
            CodecArgument::None => Codec::None,
            CodecArgument::Gzip => Codec::Gzip,
            CodecArgument::Snappy => Codec::Snappy,
            CodecArgument::Lz4 => Codec::Lz4,
            CodecArgument::Zstd => Codec::Zstd,
        },
        content: match arguments.content {
            ContentArgument::Orders => Content::Orders,
            ContentArgument::Text => Content::Text,
            ContentArgument::Random => Content::Random,
        },
        seed: arguments.seed,
        pace: arguments.rate.map_or(Pace::Unlimited, Pace::PerSecond),
        ..usual
    };
    let generated = traffic.produce(&arguments.bootstrap)?;
    let seconds = generated.elapsed.as_secs_f64();
    println!(
        "{} records in {seconds:.1} s, {} records/s, {:.1} MiB/s",
        grouped(generated.total()),
        grouped((generated.total() as f64 / seconds) as u64),
        generated.bytes as f64 / seconds / f64::from(1 << 20)
    );
    Ok(())
}
