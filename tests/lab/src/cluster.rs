//! A cluster of several brokers, each of them also a controller: any one may be stopped or killed, and the others go on.
//!
//! Topics have as many replicas as there are brokers, three at most, and `min.insync.replicas` is 2 then. Brokers are in the racks `rack-a`,
//! `rack-b`, `rack-c`. A killed broker's partitions get other leaders after `broker.session.timeout.ms`, 6 s.

use std::{thread, time::Duration};

use anyhow::{Context, Result, anyhow};

use crate::{
    admin::Admin,
    broker::{Broker, BrokerOptions, Seat},
    kafka::Kafka,
};

/// Its brokers have the ids 1 and up. Dropping it kills them and removes their data.
pub struct Cluster {
    brokers: Vec<Broker>,
}

/// Two clusters of three brokers.
pub struct Clusters {
    pub source: Cluster,
    pub target: Cluster,
}

const IN_SYNC: Duration = Duration::from_secs(90);

// === impl Cluster ===

impl Cluster {
    /// Three brokers that have the same options.
    pub fn start(options: &BrokerOptions) -> Result<Self> {
        Self::start_with(vec![options.clone(), options.clone(), options.clone()])
    }

    /// A broker for each of the options; waits until all of them answer.
    pub fn start_with(options: Vec<BrokerOptions>) -> Result<Self> {
        // Once, and not from several threads.
        Kafka::fetch()?;
        let listeners: Vec<usize> = options.iter().map(|options| options.listeners.len()).collect();
        let seats = Seat::together(&listeners)?;
        let mut brokers = Vec::new();
        for (mut options, seat) in options.into_iter().zip(seats) {
            options.name = format!("{}-{}", options.name, seat.node);
            brokers.push(Broker::install(options, seat)?);
        }
        let (first, others) = brokers.split_first().context("a cluster has a broker")?;
        first.format()?;
        for broker in others {
            broker.format_like(first)?;
        }
        for broker in &mut brokers {
            broker.launch()?;
        }
        for broker in &mut brokers {
            broker.wait_until_ready()?;
        }
        Ok(Self { brokers })
    }

    /// Addresses of the plain listeners of all brokers.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<&str> = self.brokers.iter().map(Broker::bootstrap).collect();
        addresses.join(",")
    }

    /// Addresses of a further listener of all brokers.
    pub fn bootstrap_of(&self, listener: &str) -> Result<String> {
        let addresses: Vec<&str> = self
            .brokers
            .iter()
            .map(|broker| broker.bootstrap_of(listener))
            .collect::<Result<_>>()?;
        Ok(addresses.join(","))
    }

    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// By its id, from 1 on.
    pub fn broker(&mut self, node: i32) -> Result<&mut Broker> {
        let found = self.brokers.iter_mut().find(|broker| broker.node() == node);
        found.with_context(|| format!("there is no broker {node}"))
    }

    /// It asks whichever brokers are up.
    pub fn admin(&self) -> Result<Admin<'_>> {
        let first = self.brokers.first().context("a cluster has a broker")?;
        let replicas = i32::try_from(self.brokers.len().min(3))?;
        Admin::new(first.kafka(), &self.bootstrap(), replicas)
    }

    /// Waits until every replica of these topics is in sync, as it must be before the next broker may go.
    pub fn wait_until_in_sync(&self, topics: &[&str]) -> Result<()> {
        self.admin()?.wait_until_in_sync(topics, IN_SYNC)
    }
}

// === impl Clusters ===

impl Clusters {
    pub fn start() -> Result<Self> {
        Self::start_with(&BrokerOptions::named("source"), &BrokerOptions::named("target"))
    }

    /// Starts both at the same time.
    pub fn start_with(source: &BrokerOptions, target: &BrokerOptions) -> Result<Self> {
        Kafka::fetch()?;
        let (source, target) = thread::scope(|scope| {
            let source = scope.spawn(|| Cluster::start(source));
            (source.join(), Cluster::start(target))
        });
        let source = source.map_err(|_| anyhow!("starting the source cluster panicked"))??;
        Ok(Self {
            source,
            target: target?,
        })
    }
}
