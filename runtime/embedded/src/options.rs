//! What a cluster starts with.

use std::collections::BTreeMap;

/// The default is one broker without topics.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many brokers; their ids are 1, 2, and so on.
    pub brokers: usize,
    /// The rack of broker 1, 2, and so on; brokers behind the end have none.
    pub racks: Vec<String>,
    /// Topics that are there from the start.
    pub topics: Vec<NewTopic>,
    /// Of everything that is chosen by chance: ids of topics, of the cluster, of members.
    pub seed: u64,
    /// Configurations of all brokers by Kafka's names (`auto.create.topics.enable`, `replica.selector.class`, `message.max.bytes`).
    pub configs: BTreeMap<String, String>,
    /// Users and their passwords. When there are any, listeners are SASL_PLAINTEXT with PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
    pub users: BTreeMap<String, String>,
    /// Fetch sessions a broker keeps (`max.incremental.fetch.session.cache.slots`); above it, new ones are not granted.
    pub fetch_sessions: usize,
    /// The largest request in bytes (`socket.request.max.bytes`); a larger one closes the connection.
    pub max_request: usize,
}

/// A topic to be created. Replication is the number of brokers, but not above 3, unless said otherwise.
#[derive(Clone, Debug)]
pub struct NewTopic {
    pub name: String,
    pub partitions: i32,
    pub replication_factor: Option<i16>,
    pub configs: BTreeMap<String, String>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            brokers: 1,
            racks: Vec::new(),
            topics: Vec::new(),
            seed: 0,
            configs: BTreeMap::new(),
            users: BTreeMap::new(),
            fetch_sessions: 1000,
            max_request: 100 << 20,
        }
    }
}

impl Options {
    /// So many brokers, and nothing else.
    pub fn brokers(brokers: usize) -> Self {
        Self {
            brokers,
            ..Self::default()
        }
    }

    #[must_use]
    pub fn topic(mut self, name: &str, partitions: i32) -> Self {
        self.topics.push(NewTopic::new(name, partitions));
        self
    }

    #[must_use]
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.configs.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Switches SASL on.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.insert(name.to_owned(), password.to_owned());
        self
    }

    /// Switches ACLs on: nobody may do anything that is not allowed, except this principal (`User:name`) and those named so before.
    #[must_use]
    pub fn super_user(mut self, principal: &str) -> Self {
        let known = self.configs.remove("super.users");
        let users = known.map_or(principal.to_owned(), |known| format!("{known};{principal}"));
        let class = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
        self.config("super.users", &users)
            .config("authorizer.class.name", class)
    }
}

// === impl NewTopic ===

impl NewTopic {
    pub fn new(name: &str, partitions: i32) -> Self {
        Self {
            name: name.to_owned(),
            partitions,
            replication_factor: None,
            configs: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.configs.insert(key.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn replication_factor(mut self, factor: i16) -> Self {
        self.replication_factor = Some(factor);
        self
    }
}
