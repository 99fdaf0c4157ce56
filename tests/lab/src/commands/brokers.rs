//! `towpath-lab broker`: brokers to try things on by hand.

use std::{thread, time::Duration};

use anyhow::{Result, bail};
use towpath_lab::{
    broker::{Broker, BrokerOptions},
    wait,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many brokers, each a cluster of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    count: u8,
    /// A property of the brokers, KEY=VALUE; may be given more than once
    #[arg(long = "property", value_name = "KEY=VALUE")]
    properties: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut options = Vec::new();
    for number in 1..=arguments.count {
        let mut broker = BrokerOptions::named(&format!("broker-{number}"));
        for property in &arguments.properties {
            let Some((key, value)) = property.split_once('=') else {
                bail!("--property {property}: write KEY=VALUE")
            };
            broker = broker.property(key, value);
        }
        options.push(broker);
    }
    let mut brokers = thread::scope(|scope| {
        let starts: Vec<_> = options
            .into_iter()
            .map(|options| scope.spawn(|| Broker::start(options)))
            .collect();
        starts
            .into_iter()
            .map(|start| {
                start
                    .join()
                    .unwrap_or_else(|_| bail!("starting a broker panicked"))
            })
            .collect::<Result<Vec<_>>>()
    })?;
    for broker in &brokers {
        println!("{}  (log: {})", broker.bootstrap(), broker.log().display());
    }
    println!("ctrl-c ends them and removes their data");
    // Ctrl-c ends this process, and with it, by their watchdogs, the brokers.
    loop {
        wait::pause(Duration::from_secs(1));
        for broker in &mut brokers {
            if let Some(status) = broker.process()?.ended()? {
                bail!("the broker {} ended: {status}", broker.bootstrap());
            }
        }
    }
}
