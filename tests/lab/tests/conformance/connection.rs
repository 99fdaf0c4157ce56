//! A connection that says what it is told to, and the calls that most cases need.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, ListOffsetsRequest, ProduceRequest,
        RequestHeader, ResponseHeader, TopicName,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use uuid::Uuid;

pub struct Connection {
    stream: TcpStream,
    correlation: i32,
}

const PATIENCE: Duration = Duration::from_secs(30);

// === impl Connection ===

impl Connection {
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            correlation: 0,
        }
    }

    /// Asks and waits for the answer.
    pub fn call<Q: Request>(&mut self, request: &Q, version: i16) -> Q::Response {
        self.send(request, version);
        self.receive::<Q>(version)
    }

    pub fn send<Q: Request>(&mut self, request: &Q, version: i16) {
        self.correlation += 1;
        let mut frame = BytesMut::new();
        RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(text("conformance")))
            .encode(&mut frame, Q::header_version(version))
            .unwrap();
        request.encode(&mut frame, version).unwrap();
        self.send_frame(&frame);
    }

    /// The answer of the last request that was sent.
    pub fn receive<Q: Request>(&mut self, version: i16) -> Q::Response {
        let correlation = self.correlation;
        self.receive_of::<Q>(correlation, version)
    }

    pub fn receive_of<Q: Request>(&mut self, correlation: i32, version: i16) -> Q::Response {
        let mut frame = self.frame();
        let header = ResponseHeader::decode(&mut frame, Q::Response::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, correlation);
        let answer = Q::Response::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "{} bytes behind the answer", frame.len());
        answer
    }

    pub fn correlation(&self) -> i32 {
        self.correlation
    }

    pub fn send_frame(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        self.send_bytes(&[&length, frame].concat());
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn frame(&mut self) -> Bytes {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        frame.into()
    }

    /// The broker says nothing more and hangs up.
    pub fn expect_closed(mut self) {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("the connection is still open: {other:?}"),
        }
    }

    /// Creates a topic of so many partitions, waits until each can be used, and answers its id.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Uuid {
        let answer = self.call(&create(&[new_topic(name, partitions, configs)]), 7);
        assert_eq!(
            answer.topics[0].error_code, 0,
            "{:?}",
            answer.topics[0].error_message
        );
        let id = answer.topics[0].topic_id;
        let ends = list_offsets(name, partitions);
        eventually("every partition of a new topic to be led", || {
            let listed = self.call(&ends, 7);
            listed.topics[0]
                .partitions
                .iter()
                .all(|partition| partition.error_code == 0)
        });
        id
    }

    pub fn delete_topic(&mut self, name: &str) {
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![topic_name(name)])
            .with_timeout_ms(30_000);
        assert_eq!(self.call(&request, 5).responses[0].error_code, 0);
    }

    /// Produces to partition 0 with acks -1.
    pub fn produce(&mut self, topic: &str, records: impl Into<Bytes>) -> PartitionProduceResponse {
        self.produce_in(topic, records, 9)
    }

    pub fn produce_in(
        &mut self,
        topic: &str,
        records: impl Into<Bytes>,
        version: i16,
    ) -> PartitionProduceResponse {
        let request = produce(&[(topic, &[(0, records.into())])]);
        let mut answer = self.call(&request, version);
        assert_eq!(answer.responses.len(), 1);
        answer.responses.remove(0).partition_responses.remove(0)
    }

    /// Everything in partition 0 from an offset on.
    pub fn fetch(&mut self, topic: &str, offset: i64) -> PartitionData {
        let mut answer = self.call(&fetch(&[(topic, &[(0, offset)])]), 12);
        assert_eq!(answer.error_code, 0);
        answer.responses.remove(0).partitions.remove(0)
    }
}

/// Brokers learn a moment later what their controller has decided.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(
            started.elapsed() < PATIENCE,
            "waited {} s for {what}",
            PATIENCE.as_secs()
        );
        thread::yield_now();
    }
}

fn list_offsets(topic: &str, partitions: i32) -> ListOffsetsRequest {
    let partition = |index| {
        ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_current_leader_epoch(-1)
            .with_timestamp(-1)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions((0..partitions).map(partition).collect());
    ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_topics(vec![topic])
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub fn new_topic(name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreatableTopic {
    let config = |(key, value): &(&str, &str)| {
        CreatableTopicConfig::default()
            .with_name(text(key))
            .with_value(Some(text(value)))
    };
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(configs.iter().map(config).collect())
}

pub fn create(topics: &[CreatableTopic]) -> CreateTopicsRequest {
    CreateTopicsRequest::default()
        .with_topics(topics.to_vec())
        .with_timeout_ms(30_000)
}

pub fn produce(topics: &[(&str, &[(i32, Bytes)])]) -> ProduceRequest {
    let partition = |(index, records): &(i32, Bytes)| {
        PartitionProduceData::default()
            .with_index(*index)
            .with_records(Some(records.clone()))
    };
    let topic = |(name, partitions): &(&str, &[(i32, Bytes)])| {
        TopicProduceData::default()
            .with_name(topic_name(name))
            .with_partition_data(partitions.iter().map(partition).collect())
    };
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(topics.iter().map(topic).collect())
}

/// Does not wait.
pub fn fetch(topics: &[(&str, &[(i32, i64)])]) -> FetchRequest {
    let topic = |(name, partitions): &(&str, &[(i32, i64)])| {
        FetchTopic::default()
            .with_topic(topic_name(name))
            .with_partitions(partitions.iter().map(fetch_partition).collect())
    };
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(16 << 20)
        .with_session_epoch(-1)
        .with_topics(topics.iter().map(topic).collect())
}

pub fn fetch_partition((index, offset): &(i32, i64)) -> FetchPartition {
    FetchPartition::default()
        .with_partition(*index)
        .with_fetch_offset(*offset)
        .with_partition_max_bytes(8 << 20)
}
