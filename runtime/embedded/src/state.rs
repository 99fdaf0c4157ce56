//! What a cluster is at one moment. One value for all its brokers, behind one lock.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::protocol::StrBytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use towpath_domain::TopicName;
use uuid::Uuid;

use crate::{
    ErrorCode, NewTopic, Options,
    api::Sessions,
    config::{BrokerConfigs, Settings, topic_key},
    coordinators::Coordinators,
    topic::{Partition, Topic},
    users::Users,
};

pub(crate) struct State {
    pub(crate) cluster_id: String,
    /// By id, the stopped ones included.
    pub(crate) brokers: BTreeMap<i32, BrokerState>,
    pub(crate) topics: Topics,
    pub(crate) configs: BrokerConfigs,
    pub(crate) coordinators: Coordinators,
    pub(crate) rng: StdRng,
    next_producer_id: i64,
}

/// A broker as clients see it.
#[derive(Debug)]
pub(crate) struct BrokerState {
    pub(crate) port: u16,
    pub(crate) rack: Option<String>,
    pub(crate) running: Running,
    pub(crate) sessions: Sessions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    Yes,
    No,
}

/// All topics, by name and by id.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<StrBytes, Topic>,
    names: HashMap<Uuid, StrBytes>,
}

/// What a client is told that asks for something impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

/// Where a topic's partitions go.
#[derive(Clone, Debug)]
pub(crate) enum Placement {
    /// So many partitions, so many replicas of each.
    Count { partitions: i32, replicas: usize },
    /// The brokers of each partition, the first its preferred leader.
    Assigned(Vec<Vec<i32>>),
}

// === impl State ===

impl State {
    /// After how many ms brokers forget a producer, by the time of its last batch or marker; never, unless it was set.
    pub(crate) fn producer_expiration(&self, broker: i32) -> Option<i64> {
        let (value, source) = self.configs.get(broker, "producer.id.expiration.ms")?;
        (source != crate::config::Source::Default).then(|| value.parse().ok())?
    }

    pub(crate) fn new(options: &Options) -> Self {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let cluster_id = uuid_text(random_uuid(&mut rng));
        let mut fixed = options.configs.clone();
        // As in the configuration that Kafka is shipped with: who starts a cluster in a process does not wait for more members.
        fixed
            .entry("group.initial.rebalance.delay.ms".to_owned())
            .or_insert_with(|| "0".to_owned());
        let configs = BrokerConfigs {
            fixed,
            ..BrokerConfigs::default()
        };
        let users = Users::new(&options.users, || rng.random());
        Self {
            cluster_id,
            brokers: BTreeMap::new(),
            topics: Topics::default(),
            coordinators: Coordinators::new(|key| configs.cluster(key).to_owned(), users),
            configs,
            rng,
            next_producer_id: 0,
        }
    }

    /// The brokers that run, by id.
    pub(crate) fn running(&self) -> impl Iterator<Item = (i32, &BrokerState)> {
        self.brokers
            .iter()
            .filter(|(_, broker)| broker.running == Running::Yes)
            .map(|(id, broker)| (*id, broker))
    }

    pub(crate) fn is_running(&self, broker: i32) -> bool {
        self.running().any(|(id, _)| id == broker)
    }

    /// Any broker takes what is for the controller; clients are told the first that runs.
    pub(crate) fn controller(&self) -> i32 {
        self.running().next().map_or(-1, |(id, _)| id)
    }

    pub(crate) fn new_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id - 1
    }

    pub(crate) fn new_uuid(&mut self) -> Uuid {
        random_uuid(&mut self.rng)
    }

    /// A topic by the options of a cluster or a call of its owner.
    pub(crate) fn add_topic(&mut self, topic: &NewTopic) -> Result<(), Denied> {
        let brokers = self.brokers.len();
        let replicas = match topic.replication_factor {
            Some(factor) => usize::try_from(factor).unwrap_or(0),
            None => brokers.min(3),
        };
        let placement = Placement::Count {
            partitions: topic.partitions,
            replicas,
        };
        let name = StrBytes::from_string(topic.name.clone());
        self.check_topic(&name, &placement, &topic.configs)?;
        self.create_topic(name, placement, topic.configs.clone());
        Ok(())
    }

    /// Whether a topic can be created like this.
    pub(crate) fn check_topic(
        &self,
        name: &str,
        placement: &Placement,
        configs: &BTreeMap<String, String>,
    ) -> Result<(), Denied> {
        if !TopicName::is_legal(name) {
            let message = format!(
                "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-', or is empty, or too long"
            );
            return Err(Denied::new(ErrorCode::InvalidTopicException, message));
        }
        if self.topics.get(name).is_some() {
            let message = format!("Topic '{name}' already exists.");
            return Err(Denied::new(ErrorCode::TopicAlreadyExists, message));
        }
        // Metrics write both as "_".
        let collides = |other: &str| other.replace('.', "_") == name.replace('.', "_");
        if let Some(other) = self.topics.iter().find(|topic| collides(&topic.name)) {
            let message = format!("Topic '{name}' collides with existing topic: {}", other.name);
            return Err(Denied::new(ErrorCode::InvalidTopicException, message));
        }
        self.check_placement(placement)?;
        check_topic_configs(configs)
    }

    pub(crate) fn check_placement(&self, placement: &Placement) -> Result<(), Denied> {
        match placement {
            Placement::Count { partitions, .. } if *partitions <= 0 => Err(Denied::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            )),
            Placement::Count { replicas: 0, .. } => Err(Denied::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            )),
            Placement::Count { replicas, .. } if *replicas > self.running().count() => Err(Denied::new(
                ErrorCode::InvalidReplicationFactor,
                format!(
                    "Unable to replicate the partition {replicas} time(s): The target replication factor of {replicas} cannot be reached because only {} broker(s) are registered.",
                    self.running().count()
                ),
            )),
            Placement::Count { .. } => Ok(()),
            Placement::Assigned(partitions) => {
                let size = partitions.first().map_or(0, Vec::len);
                let sound = |replicas: &Vec<i32>| {
                    let mut unique = replicas.clone();
                    unique.sort_unstable();
                    unique.dedup();
                    !replicas.is_empty()
                        && replicas.len() == size
                        && unique.len() == size
                        && replicas.iter().all(|id| self.brokers.contains_key(id))
                };
                if partitions.iter().all(sound) {
                    return Ok(());
                }
                Err(Denied::new(
                    ErrorCode::InvalidReplicaAssignment,
                    "The manual partition assignment names unknown brokers, none, one twice, or partitions of different size.",
                ))
            }
        }
    }

    /// Creates what was checked. Partitions go round the brokers.
    pub(crate) fn create_topic(
        &mut self,
        name: StrBytes,
        placement: Placement,
        configs: BTreeMap<String, String>,
    ) -> &mut Topic {
        let id = self.new_uuid();
        let settings = Settings::of(&configs, &self.configs);
        let mut topic = Topic {
            name: name.clone(),
            id,
            configs,
            settings,
            partitions: Vec::new(),
        };
        self.place(&mut topic, placement);
        self.topics.names.insert(id, name.clone());
        self.topics.by_name.entry(name).or_insert(topic)
    }

    /// Adds partitions to a topic behind those it has.
    pub(crate) fn place(&self, topic: &mut Topic, placement: Placement) {
        let brokers: Vec<i32> = self.running().map(|(id, _)| id).collect();
        let assigned = match placement {
            Placement::Assigned(partitions) => partitions,
            Placement::Count { partitions, replicas } => {
                let first = topic.partitions.len();
                let of = |partition: usize| {
                    (0..replicas)
                        .map(|replica| brokers[(first + partition + replica) % brokers.len()])
                        .collect()
                };
                (0..usize::try_from(partitions).unwrap_or(0)).map(of).collect()
            }
        };
        for replicas in assigned {
            let isr = replicas
                .iter()
                .copied()
                .filter(|replica| brokers.contains(replica))
                .collect();
            topic.partitions.push(Partition::new(replicas, isr));
        }
    }

    /// Adds partitions to a topic that is there.
    pub(crate) fn grow_topic(&mut self, name: &str, placement: Placement) {
        // Out and in again: where partitions go hangs on the rest of the state.
        if let Some((name, mut topic)) = self.topics.by_name.remove_entry(name.as_bytes()) {
            self.place(&mut topic, placement);
            self.topics.by_name.insert(name, topic);
        }
    }

    /// Other configs for a topic, checked ones.
    pub(crate) fn configure_topic(&mut self, name: &str, configs: BTreeMap<String, String>) {
        if let Some(topic) = self.topics.by_name.get_mut(name.as_bytes()) {
            topic.configs = configs;
            topic.configure(&self.configs);
        }
    }

    /// Brokers' configs have changed: every topic looks again.
    pub(crate) fn reconfigure(&mut self) {
        for topic in self.topics.by_name.values_mut() {
            topic.configure(&self.configs);
        }
    }
}

/// Kafka's checks of a topic's configs.
pub(crate) fn check_topic_configs(configs: &BTreeMap<String, String>) -> Result<(), Denied> {
    for (name, value) in configs {
        let Some(definition) = topic_key(name) else {
            let message = format!("Unknown topic config name: {name}");
            return Err(Denied::new(ErrorCode::InvalidConfig, message));
        };
        if let Some(message) = definition.refuse(value) {
            return Err(Denied::new(ErrorCode::InvalidConfig, message));
        }
    }
    Ok(())
}

fn random_uuid(rng: &mut StdRng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid()
}

/// As Kafka writes ids: 22 characters of URL-safe base 64.
pub(crate) fn uuid_text(id: Uuid) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // 132 bits: the id, and four zeros.
    let bits = id.as_u128();
    (0..22)
        .map(|index| {
            let shift = 122 - 6 * index;
            let digit = if shift >= 0 { bits >> shift } else { bits << -shift };
            char::from(DIGITS[(digit & 63) as usize])
        })
        .collect()
}

// === impl Topics ===

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name.as_bytes())
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name.as_bytes())
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&StrBytes> {
        self.names.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.by_name.values_mut()
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.get(topic)?.partition(partition)
    }

    pub(crate) fn partition_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        self.get_mut(topic)?.partition_mut(partition)
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let mut topic = self.by_name.remove(name.as_bytes())?;
        self.names.remove(&topic.id);
        for partition in &mut topic.partitions {
            // Long polls find out that it is gone.
            partition.log.wake();
        }
        Some(topic)
    }
}

// === impl Denied ===

impl From<ErrorCode> for Denied {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.to_string())
    }
}

impl Denied {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
