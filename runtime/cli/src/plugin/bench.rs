//! `towpath plugin bench`: host and guest together, without Kafka.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use towpath_plugin_cases::{Case, Input};
use towpath_plugin_host as host;

use super::{
    call::{Configured, kind},
    open,
    records::Records,
};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The component
    file: PathBuf,
    /// A case: its configuration is taken, and its records or pairs are repeated to fill a batch, or its topics asked for
    #[arg(long, value_name = "FOLDER")]
    case: PathBuf,
    /// How long each batch size is measured, ms
    #[arg(long, default_value_t = 1000)]
    millis: u64,
}

const SIZES: [usize; 3] = [1, 100, 1000];

/// One call, made as often as there is time.
enum Call {
    Records(Arc<Records>),
    Pairs {
        source: Arc<Records>,
        target: Arc<Records>,
        pairs: Vec<host::Pair>,
    },
    /// each of them is asked for
    Topics(Vec<String>),
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plugin = open(&arguments.file)?;
    let wrong = |what: String| Failure::Input(vec![what]);
    let kind = kind(plugin.kind());
    let case = Case::read(&arguments.case, kind).map_err(|error| wrong(error.to_string()))?;
    let input = case.require_input().map_err(|error| wrong(error.to_string()))?;
    let sizes: &[usize] = match input {
        // asked once a topic, whatever comes of it
        Input::Topics(_) => &SIZES[..1],
        _ => &SIZES,
    };
    let calls: Option<Vec<Call>> = sizes.iter().map(|size| Call::new(input, *size)).collect();
    let calls = calls.ok_or_else(|| {
        wrong(format!(
            "{}: has no records, pairs of records or topics; checkers, which are asked now and then, are not measured",
            arguments.case.display()
        ))
    })?;
    let mut configured = Configured::new(&super::registry::granted(&plugin, &case), kind, &case.config)
        .map_err(|error| wrong(error.to_string()))?;
    println!("{} with the input of {}", plugin.reference(), case.name);
    let during = Duration::from_millis(arguments.millis);
    for (size, call) in sizes.iter().zip(&calls) {
        let each = measure(&mut configured, call, during).map_err(|error| anyhow!(error))?;
        println!("{}", call.told(*size, each.as_nanos() as f64));
    }
    Ok(ExitCode::SUCCESS)
}

// === impl Call ===

impl Call {
    /// The case's input, repeated to fill a batch. None: there is nothing to measure in it.
    fn new(input: &Input, size: usize) -> Option<Self> {
        match input {
            Input::Records(records) if !records.records.is_empty() => {
                Some(Self::Records(repeated(records, size, true)))
            }
            Input::Pairs(pairs) if !pairs.pairs.is_empty() => {
                let [sources, targets] = [&pairs.source, &pairs.target].map(|side| side.records.len() as u32);
                let times = size.div_ceil(pairs.pairs.len()) as u32;
                let moved = |time: u32| {
                    pairs.pairs.iter().map(move |pair| host::Pair {
                        source: pair.source.map(|index| index + time * sources),
                        target: pair.target.map(|index| index + time * targets),
                    })
                };
                Some(Self::Pairs {
                    source: repeated(&pairs.source, (times * sources) as usize, true),
                    target: repeated(&pairs.target, (times * targets) as usize, pairs.target_offsets),
                    pairs: (0..times).flat_map(moved).take(size).collect(),
                })
            }
            Input::Topics(topics) if !topics.map.is_empty() => Some(Self::Topics(topics.map.clone())),
            _ => None,
        }
    }

    fn make(&self, configured: &mut Configured) -> Result<(), host::CallError> {
        let shown = |records: &Arc<Records>| Arc::clone(records) as Arc<dyn host::Records>;
        match (configured, self) {
            (Configured::Transformation(plugin), Self::Records(records)) => {
                plugin.transform(shown(records)).map(drop)
            }
            (Configured::Predicate(plugin), Self::Records(records)) => {
                plugin.matching(shown(records)).map(drop)
            }
            (
                Configured::Validator(plugin),
                Self::Pairs {
                    source,
                    target,
                    pairs,
                },
            ) => plugin.validate(shown(source), shown(target), pairs).map(drop),
            (Configured::Router(plugin), Self::Topics(topics)) => topics
                .iter()
                .try_for_each(|topic| plugin.map_topic(topic).map(drop)),
            // Cases are read for the plugin's kind.
            _ => unreachable!("a case of another kind"),
        }
    }

    /// What a call that took so many ns means.
    fn told(&self, size: usize, nanos: f64) -> String {
        let batches = |what, records: &Records| {
            let bytes: usize = records
                .batch
                .records
                .iter()
                .filter_map(|record| record.value.as_ref())
                .map(Vec::len)
                .sum();
            let mean = bytes / records.batch.records.len().max(1);
            format!(
                "batches of {size:>4}: {:>8.0} ns a {what}, values of {mean} bytes",
                nanos / size as f64
            )
        };
        match self {
            Self::Records(records) => batches("record", records),
            Self::Pairs { source, .. } => batches("pair", source),
            Self::Topics(topics) => format!(
                "map-topic: {:>8.0} ns a topic; it is asked once for each",
                nanos / topics.len() as f64
            ),
        }
    }
}

fn repeated(records: &towpath_plugin_cases::Records, size: usize, has_offsets: bool) -> Arc<Records> {
    let mut batch = records.clone();
    batch.records = records.records.iter().cycle().take(size).cloned().collect();
    Arc::new(Records { batch, has_offsets })
}

/// The mean time of a call.
fn measure(configured: &mut Configured, call: &Call, during: Duration) -> Result<Duration, host::CallError> {
    for _ in 0..10 {
        call.make(configured)?;
    }
    let (started, mut calls) = (Instant::now(), 0_u32);
    while started.elapsed() < during {
        call.make(configured)?;
        calls += 1;
    }
    Ok(started.elapsed() / calls.max(1))
}
