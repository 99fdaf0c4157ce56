//! A cluster to ask, and a connection to ask it by.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ConsumerGroupHeartbeatRequest, CreateTopicsRequest, FindCoordinatorRequest, GroupId,
        HeartbeatRequest, MetadataRequest, RequestHeader, ResponseHeader, TopicName,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        metadata_request::MetadataRequestTopic,
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use tokio::runtime::Runtime;
use towpath_embedded::{Cluster, Options};
use towpath_lab::wait;
use uuid::Uuid;

pub struct Target {
    pub name: &'static str,
    bootstrap: String,
    _embedded: Option<(Cluster, Runtime)>,
}

pub struct Connection {
    stream: TcpStream,
    correlation: i32,
}

const DEADLINE: Duration = Duration::from_secs(60);

/// While a coordinator is being found.
const NOT_YET: [i16; 3] = [14, 15, 16];

// === impl Target ===

impl Target {
    pub fn at(name: &'static str, bootstrap: &str) -> Self {
        Self {
            name,
            bootstrap: bootstrap.to_owned(),
            _embedded: None,
        }
    }

    pub fn embedded() -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options::default().super_user("User:ANONYMOUS");
        let cluster = runtime.block_on(Cluster::start(options)).unwrap();
        Self {
            name: "the embedded cluster",
            bootstrap: cluster.bootstrap_servers(),
            _embedded: Some((cluster, runtime)),
        }
    }

    pub fn connect(&self) -> Result<Connection> {
        Connection::open(&self.bootstrap)
    }

    /// A connection to the coordinator of a group, which has begun to work.
    pub fn group(&self, id: &str) -> Result<Connection> {
        let mut found = self.coordinator(id, 0)?;
        let probe = HeartbeatRequest::default().with_group_id(GroupId(text(id)));
        wait::until(&format!("the coordinator of {id}"), DEADLINE, || {
            let code = found.call(4, &probe)?.error_code;
            Ok((!NOT_YET.contains(&code)).then_some(()))
        })?;
        Ok(found)
    }

    /// Creates a topic that the group coordinator knows of as well: it learns of topics later than Metadata does.
    pub fn topic_for_groups(&self, name: &str, partitions: i32) -> Result<Uuid> {
        let topic = self.topic(name, partitions, &[])?;
        let group = format!("probe-{name}");
        let mut at = self.group(&group)?;
        let beat = |epoch: i32| {
            ConsumerGroupHeartbeatRequest::default()
                .with_group_id(GroupId(text(&group)))
                .with_member_id(text("probe"))
                .with_member_epoch(epoch)
                .with_rebalance_timeout_ms(30_000)
                .with_subscribed_topic_names(Some(vec![TopicName(text(name))]))
                .with_topic_partitions(Some(vec![]))
        };
        let mut epoch = 0;
        wait::until(&format!("{name} at the group coordinator"), DEADLINE, || {
            let answer = at.call(1, &beat(epoch))?;
            ensure!(
                answer.error_code == 0,
                "a heartbeat is answered {}",
                answer.error_code
            );
            epoch = answer.member_epoch;
            let assigned = answer.assignment.unwrap_or_default().topic_partitions;
            Ok((!assigned.is_empty()).then_some(()))
        })?;
        at.call(1, &beat(-1))?;
        Ok(topic)
    }

    /// A connection to the coordinator of a transactional id.
    pub fn transactional(&self, id: &str) -> Result<Connection> {
        self.coordinator(id, 1)
    }

    fn coordinator(&self, id: &str, key_type: i8) -> Result<Connection> {
        let request = FindCoordinatorRequest::default()
            .with_key_type(key_type)
            .with_coordinator_keys(vec![text(id)]);
        wait::until(&format!("a coordinator of {id}"), DEADLINE, || {
            let answer = self.connect()?.call(4, &request)?;
            let found = answer
                .coordinators
                .first()
                .context("no coordinator in the answer")?;
            match found.error_code {
                0 => Connection::open(&format!("{}:{}", &*found.host, found.port)).map(Some),
                code if NOT_YET.contains(&code) => Ok(None),
                code => bail!("FindCoordinator answers {code}"),
            }
        })
    }

    /// Creates a topic and waits until it has leaders. Answers its id.
    pub fn topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<Uuid> {
        let config = |(key, value): &(&str, &str)| {
            CreatableTopicConfig::default()
                .with_name(text(key))
                .with_value(Some(text(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(30_000);
        let mut connection = self.connect()?;
        let answer = connection.call(7, &request)?;
        ensure!(
            answer.topics[0].error_code == 0,
            "CreateTopics answers {:?}",
            answer.topics[0]
        );
        let asked = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        let request = MetadataRequest::default().with_topics(Some(vec![asked]));
        wait::until(&format!("leaders of {name}"), DEADLINE, || {
            let answer = connection.call(12, &request)?;
            let led = answer.topics[0]
                .partitions
                .iter()
                .filter(|one| one.leader_id.0 >= 0)
                .count();
            Ok((i32::try_from(led)? == partitions).then_some(answer.topics[0].topic_id))
        })
    }
}

// === impl Connection ===

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            correlation: 0,
        })
    }

    pub fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Result<Q::Response> {
        self.send(version, request)?;
        self.receive::<Q>(version)
    }

    /// Without waiting for the answer: another member has to speak first.
    pub fn send<Q: Request>(&mut self, version: i16, request: &Q) -> Result<()> {
        self.correlation += 1;
        let mut frame = BytesMut::from(&[0; 4][..]);
        RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(text("conformance")))
            .encode(&mut frame, Q::header_version(version))?;
        request.encode(&mut frame, version)?;
        let length = u32::try_from(frame.len() - 4)?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)?;
        Ok(())
    }

    pub fn receive<Q: Request>(&mut self, version: i16) -> Result<Q::Response> {
        let mut length = [0; 4];
        self.stream
            .read_exact(&mut length)
            .with_context(|| format!("no answer to API {} v{version}", Q::KEY))?;
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        self.stream.read_exact(&mut answer)?;
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, Q::Response::header_version(version))?;
        ensure!(
            header.correlation_id == self.correlation,
            "an answer to another request"
        );
        let decoded = Q::Response::decode(&mut answer, version)?;
        ensure!(
            answer.is_empty(),
            "{} bytes behind the answer to API {} v{version}",
            answer.len(),
            Q::KEY
        );
        Ok(decoded)
    }
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Fails with what was asked, what came and what should have come.
pub fn is<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Result<()> {
    ensure!(got == wanted, "{what}: {got:?}, not {wanted:?}");
    Ok(())
}
