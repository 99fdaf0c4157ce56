//! Two clusters, and a writer to the source.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use towpath_domain::{Bucket, Offset, Partition, TopicId, TopicName, TopicPartition};
use towpath_embedded::{ApiKey, Cluster, Options};
use towpath_wire::{
    Client, Connection, NodeId, ProducePartition, ProduceRequest, ProducerId, Topics,
    batch::{
        Compression, Encoder, Headers, HeadersBuilder, Outgoing, ProducerIdentity, Record, SourceSpan,
        Transactional,
    },
};

use super::content::{self, Row};

pub const TOPIC: &str = "orders";
pub const PARTITIONS: i32 = 2;
const WRITER: &str = "writer";
/// ms, of old records.
const OLD: i64 = 1_500_000_000_000;
/// And the user's password.
const USER: &str = "towpath";

pub struct Pair {
    pub source: Cluster,
    pub target: Cluster,
    with_users: bool,
}

/// Appends batches to the source, each record unlike any other. It keeps the connections it has: a fault of other requests than Produce does not
/// reach it.
pub struct Writer {
    /// of the first record, ms
    from: i64,
    pub client: Client,
    connections: HashMap<NodeId, Connection>,
    written: HashMap<i32, u64>,
}

/// Nothing in these tests takes as long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(40);

// === impl Pair ===

impl Pair {
    pub async fn start(brokers: usize, seed: u64) -> Self {
        Self::with(Options::brokers(brokers), Options::brokers(brokers), seed).await
    }

    /// The target forgets producers by the time of their records, whenever something is written.
    pub async fn forgetful(brokers: usize, seed: u64) -> Self {
        let day = Duration::from_secs(24 * 3600).as_millis().to_string();
        let target = Options::brokers(brokers).config("producer.id.expiration.ms", &day);
        Self::with(Options::brokers(brokers), target, seed).await
    }

    /// A broker each; on the target clients have to say who they are when that is what requests of this kind are about.
    pub async fn start_for(api: ApiKey, seed: u64) -> Self {
        let target = match api {
            ApiKey::SaslHandshake | ApiKey::SaslAuthenticate => Options::brokers(1).user(USER, USER),
            _ => Options::brokers(1),
        };
        Self::with(Options::brokers(1), target, seed).await
    }

    /// The source has the topic as well.
    pub async fn with(source: Options, target: Options, seed: u64) -> Self {
        let source = Options {
            seed: 2 * seed,
            ..source.topic(TOPIC, PARTITIONS)
        };
        let with_users = !target.users.is_empty();
        let target = Options {
            seed: 2 * seed + 1,
            ..target
        };
        Self {
            source: Cluster::start(source).await.unwrap(),
            target: Cluster::start(target).await.unwrap(),
            with_users,
        }
    }

    /// How a connector gets at both clusters.
    pub fn clusters(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![
            (
                "source.cluster.bootstrap.servers",
                self.source.bootstrap_servers(),
            ),
            (
                "target.cluster.bootstrap.servers",
                self.target.bootstrap_servers(),
            ),
        ];
        if self.with_users {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
            keys.push(("target.cluster.security.protocol", "SASL_PLAINTEXT".to_owned()));
            keys.push(("target.cluster.sasl.mechanism", "SCRAM-SHA-256".to_owned()));
            keys.push((
                "target.cluster.sasl.jaas.config",
                format!("{module} required username=\"{USER}\" password=\"{USER}\";"),
            ));
        }
        keys
    }

    /// Source and target of a partition.
    pub fn rows(&self, partition: i32) -> (Vec<Row>, Vec<Row>) {
        (
            content::rows(&self.source, TOPIC, partition),
            content::rows(&self.target, TOPIC, partition),
        )
    }

    /// Compares everything; see [`content::compare`]. Answers how many records came twice.
    pub fn compare(&self, rewinds: usize) -> Result<usize, String> {
        let mut doubled = 0;
        for partition in 0..PARTITIONS {
            let (source, target) = self.rows(partition);
            doubled += content::compare(&source, &target, rewinds)
                .map_err(|what| format!("partition {partition}: {what}"))?;
        }
        Ok(doubled)
    }

    /// Compares everything where each record has its offset on both sides.
    pub fn compare_places(&self) -> Result<(), String> {
        for partition in 0..PARTITIONS {
            let source = content::places(&self.source, TOPIC, partition);
            let target = content::places(&self.target, TOPIC, partition);
            if source == target {
                continue;
            }
            let bounds = |placed: &content::Placed| (placed.start, placed.rows.len(), placed.end);
            let first = source
                .rows
                .iter()
                .zip(&target.rows)
                .find(|(source, target)| source != target);
            return Err(format!(
                "partition {partition}: start, records and end are {:?} on the source, {:?} on the target; the first that differ: {first:?}",
                bounds(&source),
                bounds(&target)
            ));
        }
        Ok(())
    }

    pub async fn shutdown(self) {
        self.source.shutdown().await;
        self.target.shutdown().await;
    }
}

// === impl Writer ===

impl Writer {
    pub async fn new(cluster: &Cluster) -> Self {
        let options = towpath_wire::Options {
            bootstrap_servers: cluster
                .bootstrap_servers()
                .split(',')
                .map(str::to_owned)
                .collect(),
            client_id: "writer".to_owned(),
            request_timeout: Duration::from_secs(2),
            retry_backoff: Duration::from_millis(10),
            retry_backoff_max: Duration::from_millis(50),
            ..towpath_wire::Options::default()
        };
        let client = Client::connect(options).await.unwrap();
        let mut writer = Self {
            from: 0,
            client,
            connections: HashMap::new(),
            written: HashMap::new(),
        };
        for partition in 0..PARTITIONS {
            writer.leader(partition).await.unwrap();
        }
        writer.write_now()
    }

    /// From here on records are so old that brokers forget their producer at once.
    pub fn write_old(&mut self) {
        self.from = OLD;
    }

    /// From here on records are of now.
    pub fn write_now(mut self) -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        self.from = now.as_millis() as i64;
        self
    }

    /// A batch to each partition. Of several codecs, in turn.
    pub async fn write_all(&mut self, batches: usize, records: usize) {
        for _ in 0..batches {
            for partition in 0..PARTITIONS {
                self.write(partition, records).await;
            }
        }
    }

    /// A batch, once: when the answer is lost it may be there or not, and what comes next is unlike it in any case.
    pub async fn try_write(&mut self, partition: i32, records: usize) -> Result<(), String> {
        let outgoing = self.batch(partition, records);
        self.produce(partition, outgoing, None).await
    }

    /// A batch of these keys and values.
    pub async fn write_keys(&mut self, partition: i32, records: &[(&str, Option<&str>)]) {
        let mut encoder = Encoder::new(Compression::None);
        for (key, value) in records {
            let record = Record {
                offset: Offset(0),
                timestamp: self.from,
                key: Some(key.as_bytes()),
                value: value.map(str::as_bytes),
                headers: Headers::EMPTY,
            };
            encoder.push(&record).unwrap();
        }
        let span = SourceSpan {
            first: Offset(0),
            next: Offset(records.len() as i64),
        };
        let mut outgoing = encoder.finish(span).unwrap();
        outgoing.sign(ProducerIdentity::NONE, -1);
        self.produce(partition, outgoing, None).await.unwrap();
    }

    /// Sets `delete.retention.ms`.
    pub async fn keep_tombstones(&self, ms: &str) {
        let configs = vec![("delete.retention.ms".to_owned(), Some(ms.to_owned()))];
        let mut results = self
            .client
            .alter_topic_configs(&[(TopicName::new(TOPIC), configs)])
            .await
            .unwrap();
        results.pop().unwrap().1.unwrap();
    }

    /// A batch of a transaction that stays open, under this transactional id.
    pub async fn write_open(&mut self, id: &str, partition: i32, records: usize) -> ProducerId {
        let timeout = Duration::from_secs(600);
        let producer = self.client.init_transactional(id, timeout).await.unwrap();
        let place = TopicPartition::new(TOPIC, partition);
        self.client.add_partitions(id, producer, &[place]).await.unwrap();
        let mut outgoing = self.batch(partition, records);
        let identity = ProducerIdentity {
            id: producer.id,
            epoch: producer.epoch,
            transactional: Transactional::Yes,
        };
        outgoing.sign(identity, 0);
        self.produce(partition, outgoing, Some(id)).await.unwrap();
        producer
    }

    pub async fn end(&self, id: &str, producer: ProducerId, committed: bool) {
        self.client
            .end_transaction(id, producer, committed)
            .await
            .unwrap();
    }

    async fn produce(
        &mut self,
        partition: i32,
        outgoing: Outgoing,
        transactional: Option<&str>,
    ) -> Result<(), String> {
        let result = async {
            let connection = self.leader(partition).await?;
            let request = ProduceRequest {
                transactional_id: transactional.map(str::to_owned),
                acks: -1,
                timeout: Duration::from_millis(500),
                partitions: vec![ProducePartition {
                    partition: TopicPartition::new(TOPIC, partition),
                    topic_id: self
                        .client
                        .topic_id(&TopicName::new(TOPIC))
                        .unwrap_or(TopicId::ZERO),
                    batch: outgoing,
                }],
            };
            let answer = connection
                .produce(request)
                .await
                .map_err(|error| error.to_string())?;
            let answer = answer.await.map_err(|error| error.to_string())?;
            match answer.partitions.first() {
                Some((_, Ok(_))) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        };
        let result = result.await;
        if result.is_err() {
            self.connections.clear();
        }
        result
    }

    pub async fn write(&mut self, partition: i32, records: usize) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(what) = self.try_write(partition, records).await {
            assert!(Instant::now() < deadline, "the source cannot be written: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The bucket of a partition.
    pub fn bucket(&self, partition: i32) -> Bucket {
        let topic = self.client.topic_id(&TopicName::new(TOPIC)).unwrap();
        Bucket::of(topic, Partition(partition))
    }

    /// The log begins there from now on.
    pub async fn delete_before(&self, partition: i32, offset: i64) {
        let place = TopicPartition::new(TOPIC, partition);
        let mut deleted = self
            .client
            .delete_records(&[(place.clone(), Offset(offset))])
            .await;
        deleted.remove(&place).unwrap().unwrap();
    }

    /// Offsets without a record: an empty transaction. When it fails it may stay open, until the next one begins.
    pub async fn try_mark(&self, partition: i32) -> Result<(), towpath_wire::Error> {
        self.mark_as(WRITER, partition).await
    }

    /// The same, of this transactional id.
    pub async fn mark_as(&self, id: &str, partition: i32) -> Result<(), towpath_wire::Error> {
        let place = TopicPartition::new(TOPIC, partition);
        let timeout = Duration::from_secs(60);
        let producer = self.client.init_transactional(id, timeout).await?;
        self.client.add_partitions(id, producer, &[place]).await?;
        self.client.end_transaction(id, producer, true).await
    }

    async fn leader(&mut self, partition: i32) -> Result<Connection, String> {
        let place = TopicPartition::new(TOPIC, partition);
        if self.connections.is_empty() || self.client.leader(&place).is_none() {
            let topics = Topics::Names(vec![TopicName::new(TOPIC)]);
            self.client
                .metadata(topics)
                .await
                .map_err(|error| error.to_string())?;
        }
        let leader = self.client.leader(&place).ok_or("no leader")?;
        if let Some(connection) = self.connections.get(&leader.node)
            && connection.is_alive()
        {
            return Ok(connection.clone());
        }
        let connection = self.client.open(leader.node, "write").await;
        let connection = connection.map_err(|error| error.to_string())?;
        self.connections.insert(leader.node, connection.clone());
        Ok(connection)
    }

    fn batch(&mut self, partition: i32, records: usize) -> Outgoing {
        let written = self.written.entry(partition).or_default();
        let codec = Compression::ALL[(*written / records as u64) as usize % Compression::ALL.len()];
        let mut encoder = Encoder::new(codec);
        for _ in 0..records {
            let mut headers = HeadersBuilder::new();
            if written.is_multiple_of(3) {
                headers.push(b"n", Some(written.to_string().as_bytes()));
            }
            let value = format!("{partition}:{written}");
            let record = Record {
                offset: Offset(0),
                timestamp: self.from + *written as i64,
                key: written.is_multiple_of(2).then_some(value.as_bytes()),
                value: Some(value.as_bytes()),
                headers: headers.headers(),
            };
            encoder.push(&record).unwrap();
            *written += 1;
        }
        let span = SourceSpan {
            first: Offset(0),
            next: Offset(records as i64),
        };
        let mut outgoing = encoder.finish(span).unwrap();
        outgoing.sign(ProducerIdentity::NONE, -1);
        outgoing
    }
}
