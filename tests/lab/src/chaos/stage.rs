//! Two clusters whose workers go through proxies, and what is done to them.

use std::{thread, time::Duration};

use anyhow::{Context, Result, anyhow};

use super::schedule::Side;
use crate::{
    admin::Admin,
    broker::{Broker, BrokerOptions},
    cluster::Cluster,
    proxy::{Network, Proxy},
    wait,
};

/// A source and a target cluster. Several runs may follow each other on it.
pub struct Stage {
    source: Half,
    target: Half,
}

struct Half {
    cluster: Cluster,
    /// one for each broker
    proxies: Vec<Proxy>,
}

const VIA: &str = "VIA";
/// As long as a broker that recovers its logs may take on a busy machine.
const READY: Duration = Duration::from_secs(120);

// === impl Stage ===

impl Stage {
    /// Two clusters of so many brokers. Records older than the target's `producer.id.expiration.ms`, Kafka's default of a day, are among the traffic.
    pub fn start(brokers: i32) -> Result<Self> {
        let source = BrokerOptions::named("source")
            // Compaction goes on while it is mirrored, in topics that do not say so themselves: the target's are made with the same configs.
            .property("log.cleaner.min.cleanable.ratio", "0.01")
            .property("log.cleaner.max.compaction.lag.ms", "2000")
            // Where a log begins is noted once a minute, and forgotten by a killed broker: on the source that must not bring records back.
            .property("log.flush.start.offset.checkpoint.interval.ms", "200")
            .property(
                "transaction.abort.timed.out.transaction.cleanup.interval.ms",
                "1000",
            );
        // What has come to the target stays there to be compared.
        let target = BrokerOptions::named("target")
            .property("log.cleaner.min.compaction.lag.ms", "9000000000000000")
            .property("log.retention.ms", "-1");
        let (source, target) = thread::scope(|scope| {
            let source = scope.spawn(|| Half::start(&source, brokers));
            (source.join(), Half::start(&target, brokers))
        });
        Ok(Self {
            source: source.map_err(|_| anyhow!("starting the source cluster panicked"))??,
            target: target?,
        })
    }

    pub(super) fn brokers(&self) -> i32 {
        self.source.proxies.len() as i32
    }

    /// Where traffic and comparisons go.
    pub(super) fn bootstrap(&self, side: Side) -> String {
        self.half(side).cluster.bootstrap()
    }

    /// Where workers go: through the proxies.
    pub(super) fn via(&self, side: Side) -> Result<String> {
        self.half(side).cluster.bootstrap_of(VIA)
    }

    pub(super) fn admin(&self, side: Side) -> Result<Admin<'_>> {
        self.half(side).cluster.admin()
    }

    pub(super) fn broker(&mut self, side: Side, node: i32) -> Result<&mut Broker> {
        self.half_mut(side).cluster.broker(node)
    }

    pub(super) fn set_network(&self, side: Side, network: Network) {
        self.half(side)
            .proxies
            .iter()
            .for_each(|proxy| proxy.set(network));
    }

    pub(super) fn cut(&self, side: Side) {
        self.half(side).proxies.iter().for_each(Proxy::cut);
    }

    /// Starts a broker, and does not wait for it. One whose disk was full may run still.
    pub(super) fn start_broker(&mut self, side: Side, node: i32) -> Result<()> {
        let broker = self.broker(side, node)?;
        if broker.process().is_ok() {
            broker.kill()?;
        }
        broker.launch()
    }

    /// Every network well, every broker up and ready.
    pub(super) fn heal(&mut self) -> Result<()> {
        for side in [Side::Source, Side::Target] {
            self.set_network(side, Network::default());
            for node in 1..=self.brokers() {
                let broker = self.broker(side, node)?;
                let runs = match broker.process() {
                    Ok(process) => process.ended()?.is_none(),
                    Err(_) => false,
                };
                if !runs {
                    self.start_broker(side, node)?;
                }
            }
        }
        for side in [Side::Source, Side::Target] {
            for node in 1..=self.brokers() {
                self.broker(side, node)?.wait_until_ready()?;
            }
            // Partitions that nobody leads for a moment have no bounds.
            wait::until(&format!("the {side} cluster to answer"), READY, || {
                Ok(self.admin(side)?.topics().ok())
            })?;
        }
        Ok(())
    }

    /// Leaves the folders of all brokers where they are; says where.
    pub(super) fn keep(&mut self) -> Result<Vec<String>> {
        let mut kept = Vec::new();
        for side in [Side::Source, Side::Target] {
            for node in 1..=self.brokers() {
                kept.push(format!(
                    "{side} {node}: {}",
                    self.broker(side, node)?.keep().display()
                ));
            }
        }
        Ok(kept)
    }

    fn half(&self, side: Side) -> &Half {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }
}

// === impl Half ===

impl Half {
    fn start(options: &BrokerOptions, brokers: i32) -> Result<Self> {
        let proxies: Vec<Proxy> = (0..brokers).map(|_| Proxy::start()).collect::<Result<_>>()?;
        let options = proxies
            .iter()
            .map(|proxy| options.clone().listener(proxy.listener(VIA)))
            .collect();
        let cluster = Cluster::start_with(options)?;
        for (broker, proxy) in cluster.brokers().iter().zip(&proxies) {
            proxy.forward_to(broker.bind_address_of(VIA).context("it has this listener")?);
        }
        Ok(Self { cluster, proxies })
    }
}
