//! One side of a comparison: a librdkafka consumer that reads one partition after another, without a group.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use towpath_domain::Partition;

use super::{Endpoint, Error, Isolation, Options, QUEUE_KBYTES};

/// Reads partitions of one topic, one at a time. Not a member of any group and never commits.
pub(super) struct Reader<'a> {
    consumer: BaseConsumer,
    endpoint: &'a Endpoint,
    stall_timeout: Duration,
}

/// One partition being read up to an end offset.
pub(super) struct Stream<'r> {
    reader: &'r Reader<'r>,
    partition: Partition,
    end: i64,
    state: State,
}

enum State {
    Reading,
    Ended,
}

const POLL: Duration = Duration::from_millis(200);

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, options: &Options) -> Result<Self, Error> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &endpoint.bootstrap)
            .set("client.id", "towpath-verify")
            // librdkafka wants a name before it lets a consumer assign itself; no group is joined and nothing committed.
            .set("group.id", "towpath-verify")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            // Retention may delete what we have not read yet: that must be an error, never a silent jump.
            .set("auto.offset.reset", "error")
            .set(
                "isolation.level",
                match options.isolation {
                    Isolation::ReadCommitted => "read_committed",
                    Isolation::ReadUncommitted => "read_uncommitted",
                },
            )
            .set("queued.max.messages.kbytes", QUEUE_KBYTES.to_string())
            .set("queued.min.messages", "1000000")
            // A full queue is looked at again at once (default 1 s): the queue is small on purpose.
            .set("fetch.queue.backoff.ms", "2")
            .set("fetch.message.max.bytes", "2097152")
            // The end of one partition must not hold up the first fetch of the next.
            .set("fetch.wait.max.ms", "20");
        for (key, value) in &endpoint.properties {
            config.set(key, value);
        }
        let consumer = config.create().map_err(|error| Error::Client {
            bootstrap: endpoint.bootstrap.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            consumer,
            endpoint,
            stall_timeout: options.stall_timeout,
        })
    }

    pub(super) fn partition_count(&self) -> Result<usize, Error> {
        let topic = self.endpoint.topic.as_str();
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), self.stall_timeout)
            .map_err(|error| self.metadata_error(error.to_string()))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.map(|found| (found.error(), found.partitions().len())) {
            Some((None, count)) if count > 0 => Ok(count),
            Some((Some(error), _)) => match RDKafkaErrorCode::from(error) {
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::TopicAuthorizationFailed => Err(self.no_such_topic()),
                code => Err(self.metadata_error(code.to_string())),
            },
            _ => Err(self.no_such_topic()),
        }
    }

    /// From the first retained offset to the end offset as this isolation level sees it (read_committed: the last stable offset).
    pub(super) fn range(&self, partition: Partition) -> Result<Range<i64>, Error> {
        self.consumer
            .fetch_watermarks(self.endpoint.topic.as_str(), partition.0, self.stall_timeout)
            .map(|(low, high)| low..high)
            .map_err(|error| self.metadata_error(error.to_string()))
    }

    /// Starts reading a partition. Streams of one reader are used one after another, never side by side.
    pub(super) fn stream(&'a self, partition: Partition, range: &Range<i64>) -> Result<Stream<'a>, Error> {
        let state = if range.is_empty() {
            State::Ended
        } else {
            State::Reading
        };
        if matches!(state, State::Reading) {
            let mut assignment = TopicPartitionList::new();
            assignment
                .add_partition_offset(
                    self.endpoint.topic.as_str(),
                    partition.0,
                    Offset::Offset(range.start),
                )
                .and_then(|()| self.consumer.assign(&assignment))
                .map_err(|error| self.read_error(partition, &error))?;
        }
        Ok(Stream {
            reader: self,
            partition,
            end: range.end,
            state,
        })
    }

    fn no_such_topic(&self) -> Error {
        Error::NoSuchTopic {
            bootstrap: self.endpoint.bootstrap.clone(),
            topic: self.endpoint.topic.clone(),
        }
    }

    fn metadata_error(&self, reason: String) -> Error {
        Error::Metadata {
            bootstrap: self.endpoint.bootstrap.clone(),
            topic: self.endpoint.topic.clone(),
            reason,
        }
    }

    fn read_error(&self, partition: Partition, error: &KafkaError) -> Error {
        let reason = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                "records were deleted (retention or DeleteRecords) while they were being compared".to_owned()
            }
            _ => error.to_string(),
        };
        Error::Read {
            bootstrap: self.endpoint.bootstrap.clone(),
            topic: self.endpoint.topic.clone(),
            partition,
            reason,
        }
    }
}

// === impl Stream ===

impl<'r> Stream<'r> {
    /// The next record below the end offset, or `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<BorrowedMessage<'r>>, Error> {
        if matches!(self.state, State::Ended) {
            return Ok(None);
        }
        let mut waiting: Option<Instant> = None;
        let mut last_error = None;
        loop {
            match self.reader.consumer.poll(POLL) {
                // Left over from the partition before.
                Some(Ok(message)) if message.partition() != self.partition.0 => {}
                Some(Ok(message)) if message.offset() >= self.end => {
                    self.state = State::Ended;
                    return Ok(None);
                }
                Some(Ok(message)) => {
                    if message.offset() + 1 >= self.end {
                        self.state = State::Ended;
                    }
                    return Ok(Some(message));
                }
                // The log below the end offset is through, its last offsets hold no records (markers, compacted).
                Some(Err(KafkaError::PartitionEOF(partition))) if partition == self.partition.0 => {
                    self.state = State::Ended;
                    return Ok(None);
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) if is_transient(&error) => last_error = Some(error.to_string()),
                Some(Err(error)) => return Err(self.reader.read_error(self.partition, &error)),
            }
            if waiting.get_or_insert_with(Instant::now).elapsed() > self.reader.stall_timeout {
                return Err(Error::Stalled {
                    bootstrap: self.reader.endpoint.bootstrap.clone(),
                    topic: self.reader.endpoint.topic.clone(),
                    partition: self.partition,
                    seconds: self.reader.stall_timeout.as_secs(),
                    last_error,
                });
            }
        }
    }
}

/// What librdkafka recovers from by itself. The group's coordinator is none of our business: we joined no group.
fn is_transient(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::OffsetNotAvailable
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::GroupAuthorizationFailed
        )
    )
}
