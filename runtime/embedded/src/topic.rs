//! A topic, and where its partitions are.

use std::collections::BTreeMap;

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::{
    config::{BrokerConfigs, Settings},
    log::Log,
};

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: StrBytes,
    pub(crate) id: Uuid,
    /// What was set for this topic itself.
    pub(crate) configs: BTreeMap<String, String>,
    /// What follows from it and from the brokers' configs; kept up by [`Topic::configure`].
    pub(crate) settings: Settings,
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Debug)]
pub(crate) struct Partition {
    /// The first is the preferred leader.
    pub(crate) replicas: Vec<i32>,
    /// Replicas whose broker runs.
    pub(crate) isr: Vec<i32>,
    /// -1 when no replica runs.
    pub(crate) leader: i32,
    /// One higher with every leader.
    pub(crate) leader_epoch: i32,
    pub(crate) log: Log,
}

// === impl Topic ===

impl Topic {
    /// To be called when the topic's own configs or the brokers' have changed.
    pub(crate) fn configure(&mut self, brokers: &BrokerConfigs) {
        self.settings = Settings::of(&self.configs, brokers);
    }

    pub(crate) fn partition(&self, partition: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, partition: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    pub(crate) fn is_internal(&self) -> bool {
        matches!(
            self.name.as_str(),
            "__consumer_offsets" | "__transaction_state" | "__share_group_state"
        )
    }
}

// === impl Partition ===

impl Partition {
    pub(crate) fn new(replicas: Vec<i32>, isr: Vec<i32>) -> Self {
        let leader = isr.first().copied().unwrap_or(-1);
        let mut log = Log::default();
        log.new_epoch(0);
        Self {
            replicas,
            isr,
            leader,
            leader_epoch: 0,
            log,
        }
    }

    /// Another leader, or the same one anew.
    pub(crate) fn lead(&mut self, leader: i32) {
        self.leader = leader;
        self.leader_epoch += 1;
        if leader >= 0 {
            self.log.new_epoch(self.leader_epoch);
        }
    }

    /// A broker has ended: others take over.
    pub(crate) fn stopped(&mut self, broker: i32) {
        // The last one stays in the list, as in Kafka: it alone may lead again.
        if self.isr.len() > 1 {
            self.isr.retain(|replica| *replica != broker);
        }
        if self.leader == broker {
            let next = self.isr.iter().copied().find(|replica| *replica != broker);
            self.lead(next.unwrap_or(-1));
        }
    }

    /// A broker is back, with everything in its log.
    pub(crate) fn started(&mut self, broker: i32) {
        if !self.replicas.contains(&broker) {
            return;
        }
        if !self.isr.contains(&broker) {
            self.isr.push(broker);
        }
        if self.leader < 0 {
            self.lead(broker);
        }
    }
}
