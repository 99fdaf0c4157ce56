//! A node's place in its cluster, and the properties that follow from it.

use std::path::Path;

use anyhow::Result;

use super::{listeners::Bound, ports};
use crate::kafka::Metadata;

#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) node: i32,
    /// Of the plain listener, of the controller (or of ZooKeeper), and of each further listener.
    pub(crate) ports: Vec<u16>,
    pub(crate) cluster_id: String,
    /// Every node, with the port of its controller. All of them vote: any one may be killed.
    voters: Vec<(i32, u16)>,
}

/// One broker has the machine's two cores for itself, and lives long enough for the second compiler.
const ALONE: [&str; 3] = ["-Xms128m", "-Xmx512m", "-XX:+UseG1GC"];
/// Of three or six brokers each has to be small and to start fast.
const ONE_OF_SEVERAL: [&str; 4] = [
    "-Xms96m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
];

/// Racks of the nodes of a cluster, in turn.
const RACKS: [&str; 3] = ["rack-a", "rack-b", "rack-c"];

// === impl Seat ===

impl Seat {
    /// A cluster of one node.
    pub(super) fn alone(listeners: usize) -> Result<Self> {
        let ports = ports::free(2 + listeners)?;
        Ok(Self {
            node: 1,
            voters: vec![(1, ports[1])],
            ports,
            cluster_id: ports::cluster_id(),
        })
    }

    /// One cluster of as many nodes, 1 and up, as there are numbers of further listeners.
    pub(crate) fn together(listeners: &[usize]) -> Result<Vec<Self>> {
        let mut free = ports::free(listeners.iter().map(|count| 2 + count).sum())?;
        let mut seats = Vec::new();
        let cluster_id = ports::cluster_id();
        for (node, count) in (1..).zip(listeners) {
            seats.push(Self {
                node,
                ports: free.drain(..2 + count).collect(),
                cluster_id: cluster_id.clone(),
                voters: Vec::new(),
            });
        }
        let voters: Vec<_> = seats.iter().map(|seat| (seat.node, seat.ports[1])).collect();
        for seat in &mut seats {
            seat.voters.clone_from(&voters);
        }
        Ok(seats)
    }

    pub(super) fn jvm_flags(&self) -> &'static [&'static str] {
        match self.voters.len() {
            1 => &ALONE,
            _ => &ONE_OF_SEVERAL,
        }
    }

    pub(super) fn properties(
        &self,
        dir: &Path,
        metadata: Metadata,
        extra: &[Bound],
    ) -> Vec<(String, String)> {
        let (port, second) = (self.ports[0], self.ports[1]);
        let plain = |address: String, of: fn(&Bound) -> &str| {
            extra.iter().fold(format!("PLAINTEXT://{address}"), |all, bound| {
                format!("{all},{}://{}", bound.name, of(bound))
            })
        };
        let address = format!("127.0.0.1:{port}");
        let mut listeners = plain(address.clone(), |bound| &bound.bind);
        let advertised = plain(address, |bound| &bound.address);
        let mut protocols = extra.iter().fold("PLAINTEXT:PLAINTEXT".to_owned(), |all, bound| {
            format!("{all},{}:{}", bound.name, bound.protocol)
        });
        let mut properties = common(dir, self.voters.len());
        let mut set = |key: &str, value: String| properties.push((key.to_owned(), value));
        match metadata {
            Metadata::KRaft => {
                let voter = |(node, port): &(i32, u16)| format!("{node}@127.0.0.1:{port}");
                let voters: Vec<_> = self.voters.iter().map(voter).collect();
                listeners.push_str(&format!(",CONTROLLER://127.0.0.1:{second}"));
                protocols.push_str(",CONTROLLER:PLAINTEXT");
                set("process.roles", "broker,controller".to_owned());
                set("node.id", self.node.to_string());
                set("controller.quorum.voters", voters.join(","));
                set("controller.listener.names", "CONTROLLER".to_owned());
                set(
                    "authorizer.class.name",
                    "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
                );
            }
            Metadata::ZooKeeper => {
                set("broker.id", self.node.to_string());
                set("zookeeper.connect", format!("127.0.0.1:{second}"));
                set(
                    "authorizer.class.name",
                    "kafka.security.authorizer.AclAuthorizer".to_owned(),
                );
            }
        }
        set("listeners", listeners);
        set("advertised.listeners", advertised);
        set("listener.security.protocol.map", protocols);
        if self.voters.len() > 1 {
            let index = usize::try_from(self.node - 1).unwrap_or(0);
            set("broker.rack", RACKS[index % RACKS.len()].to_owned());
        }
        properties.extend(extra.iter().flat_map(|bound| bound.broker_properties.clone()));
        properties
    }
}

fn common(dir: &Path, nodes: usize) -> Vec<(String, String)> {
    let replicas = nodes.min(3).to_string();
    let in_sync = if nodes < 3 { "1" } else { "2" };
    let mut properties: Vec<(&str, String)> = vec![
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        ("super.users", "User:ANONYMOUS".to_owned()),
        ("log.dirs", dir.join("data").display().to_string()),
        ("auto.create.topics.enable", "false".to_owned()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        // Few partitions of the internal topics: a start and a restart are faster.
        ("offsets.topic.replication.factor", replicas.clone()),
        ("offsets.topic.num.partitions", "4".to_owned()),
        ("transaction.state.log.replication.factor", replicas.clone()),
        ("transaction.state.log.min.isr", in_sync.to_owned()),
        ("transaction.state.log.num.partitions", "4".to_owned()),
        (
            "share.coordinator.state.topic.replication.factor",
            replicas.clone(),
        ),
        ("share.coordinator.state.topic.min.isr", in_sync.to_owned()),
        // A test that waits for compaction or retention does not wait for minutes.
        ("log.cleaner.backoff.ms", "500".to_owned()),
        ("log.cleaner.dedupe.buffer.size", "16777216".to_owned()),
        ("log.retention.check.interval.ms", "5000".to_owned()),
        ("log.initial.task.delay.ms", "1000".to_owned()),
    ];
    if nodes > 1 {
        properties.extend([
            ("default.replication.factor", replicas),
            ("min.insync.replicas", in_sync.to_owned()),
            // A killed broker's partitions get other leaders after this, a restarted one's at once; 9 s by default.
            ("broker.session.timeout.ms", "6000".to_owned()),
            ("broker.heartbeat.interval.ms", "1000".to_owned()),
            // Only a test moves leaders back.
            ("auto.leader.rebalance.enable", "false".to_owned()),
        ]);
    }
    properties
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
