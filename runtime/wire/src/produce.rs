//! Produce: record batches to the leader of their partitions.
//!
//! Encoded here and not by `kafka-protocol`, which copies the records of every partition into the request. A request of ours is a list of
//! segments: what we write (names, lengths, batch headers) and, between, the batches' bodies as they are in the memory of the fetch they
//! came with. Both go to the socket in one vectored write, so a passed-through record is never copied in this process.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ProduceResponse;
use towpath_domain::{Offset, Partition, TopicName, TopicPartition};

use crate::{
    Connection, Error, InFlight, KafkaError, answer, api::PRODUCE, batch::Outgoing, connection::Frame,
};

/// Batches to append, at most one for a partition: brokers take no two.
#[derive(Clone, Debug)]
pub struct ProduceRequest {
    /// -1: once all in-sync replicas have it; 1: once the leader has it. 0 is refused, as nothing would be answered.
    pub acks: i16,
    /// How long the broker waits for the replicas; the connection waits that much longer than `request_timeout` for the answer.
    pub timeout: Duration,
    /// In any order; each partition once.
    pub partitions: Vec<(TopicPartition, Outgoing)>,
}

/// What became of each batch.
#[derive(Clone, Debug)]
pub struct ProduceAnswer {
    /// What the broker's quota asks for. The connection sees to it; this is for metrics.
    pub throttle: Duration,
    /// Each partition of the request, in the order of the answer.
    pub partitions: Vec<(TopicPartition, Result<Appended, KafkaError>)>,
    /// The broker's own words about what it refused (version 8).
    pub messages: Vec<(TopicPartition, String)>,
}

/// A batch that is in the leader's log. Sent twice with one sequence, both answers are those of the first append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// -1 when the broker dropped the batch as a duplicate and no longer knows where the first one is.
    pub base_offset: Offset,
    /// ms, -1 unless the topic's timestamp type is LogAppendTime.
    pub log_append_time: i64,
    /// -1 before version 5.
    pub log_start_offset: Offset,
}

// === impl Connection ===

impl Connection {
    /// Queues the request in the order of the calls, once fewer than `max_in_flight` are unanswered, and gives back its answer.
    ///
    /// Fails with [`Error::Invalid`] when acks is 0, and when a partition is there twice: the broker would answer 0 for both and keep only the
    /// last, a silent loss.
    pub async fn produce(&self, request: ProduceRequest) -> Result<InFlight<ProduceAnswer>, Error> {
        let version = self.version(PRODUCE, PRODUCE.max)?;
        let frame = encode(self.header_v1(PRODUCE, version)?, &request)?;
        self.send(PRODUCE, frame, request.timeout, move |answer| {
            decode(answer, version)
        })
        .await
    }
}

/// `head` is the header of the request.
fn encode(mut head: BytesMut, request: &ProduceRequest) -> Result<Frame, Error> {
    let invalid = |what: String| Error::Invalid {
        api: PRODUCE.name,
        what,
    };
    if !matches!(request.acks, -1 | 1) {
        return Err(invalid(format!("acks must be -1 or 1, not {}", request.acks)));
    }
    let mut partitions: Vec<&(TopicPartition, Outgoing)> = request.partitions.iter().collect();
    partitions.sort_by(|(a, _), (b, _)| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    if let Some(twice) = partitions.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(invalid(format!("{} is in the request twice", twice[0].0)));
    }
    let topics: Vec<_> = partitions.chunk_by(|(a, _), (b, _)| a.topic == b.topic).collect();

    // Exactly what is written below, so that the segments are parts of one allocation.
    let names: usize = topics
        .iter()
        .map(|topic| 2 + topic[0].0.topic.as_str().len() + 4)
        .sum();
    head.reserve(12 + names + partitions.len() * (8 + crate::batch::HEADER_SIZE));
    let mut written = head;
    let mut head = None;
    let mut rest = Vec::with_capacity(2 * partitions.len());
    written.put_i16(-1);
    written.put_i16(request.acks);
    written.put_i32(millis(request.timeout));
    written.put_i32(count(topics.len())?);
    for topic in topics {
        let name = topic[0].0.topic.as_str();
        let length =
            i16::try_from(name.len()).map_err(|_| invalid(format!("topic {name} has too long a name")))?;
        written.put_i16(length);
        written.put_slice(name.as_bytes());
        written.put_i32(count(topic.len())?);
        for (partition, batch) in topic {
            written.put_i32(partition.partition.0);
            written.put_i32(count(batch.size())?);
            written.put_slice(batch.header());
            match head {
                None => head = Some(written.split()),
                Some(_) => rest.push(written.split().freeze()),
            }
            rest.push(batch.body().clone());
        }
    }
    Frame::new(PRODUCE, head.unwrap_or(written), rest)
}

pub(crate) fn decode(answer: Bytes, version: i16) -> Result<(ProduceAnswer, i32), String> {
    let answer = answer::decode::<ProduceResponse>(answer, version)?;
    let throttle = answer.throttle_time_ms;
    let mut partitions = Vec::with_capacity(
        answer
            .responses
            .iter()
            .map(|topic| topic.partition_responses.len())
            .sum(),
    );
    let mut messages = Vec::new();
    for topic in answer.responses {
        let name = TopicName::new(topic.name.as_str());
        for partition in topic.partition_responses {
            let at = TopicPartition {
                topic: name.clone(),
                partition: Partition(partition.index),
            };
            if let Some(message) = partition.error_message {
                messages.push((at.clone(), message.to_string()));
            }
            let result = match KafkaError::of(partition.error_code) {
                Some(error) => Err(error),
                None => Ok(Appended {
                    base_offset: Offset(partition.base_offset),
                    log_append_time: partition.log_append_time_ms,
                    log_start_offset: Offset(partition.log_start_offset),
                }),
            };
            partitions.push((at, result));
        }
    }
    let answer = ProduceAnswer {
        throttle: Duration::from_millis(throttle.max(0) as u64),
        partitions,
        messages,
    };
    Ok((answer, throttle))
}

fn count(size: usize) -> Result<i32, Error> {
    let what = || format!("{size} is more than fits a request");
    i32::try_from(size).map_err(|_| Error::Invalid {
        api: PRODUCE.name,
        what: what(),
    })
}

pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Compression, Encoder, HEADER_SIZE, Headers, Record, SourceSpan};

    fn batch(value: &[u8]) -> Outgoing {
        let record = Record {
            offset: Offset(0),
            timestamp: 0,
            key: None,
            value: Some(value),
            headers: Headers::EMPTY,
        };
        let span = SourceSpan {
            first: Offset(0),
            next: Offset(1),
        };
        Encoder::new(Compression::None)
            .encode_split([record], span, usize::MAX)
            .unwrap()
            .remove(0)
    }

    fn request(partitions: Vec<(TopicPartition, Outgoing)>) -> ProduceRequest {
        ProduceRequest {
            acks: -1,
            timeout: Duration::from_secs(10),
            partitions,
        }
    }

    #[test]
    fn bodies_are_segments_of_their_own_and_not_copied() {
        let (a, b, c) = (batch(b"a"), batch(&[b'b'; 300]), batch(b"c"));
        let request = request(vec![
            (TopicPartition::new("orders", 2), a.clone()),
            (TopicPartition::new("bills", 0), b.clone()),
            (TopicPartition::new("orders", 1), c.clone()),
        ]);
        let frame = encode(BytesMut::from(&[0; 14][..]), &request).unwrap();

        let mut expected = BytesMut::from(&[0; 14][..]);
        expected.put_i16(-1);
        expected.put_i16(-1);
        expected.put_i32(10_000);
        expected.put_i32(2);
        for (topic, batches) in [("bills", vec![(0, &b)]), ("orders", vec![(1, &c), (2, &a)])] {
            expected.put_i16(topic.len() as i16);
            expected.put_slice(topic.as_bytes());
            expected.put_i32(batches.len() as i32);
            for (partition, batch) in batches {
                expected.put_i32(partition);
                expected.put_i32((HEADER_SIZE + batch.body().len()) as i32);
                expected.put_slice(batch.header());
                expected.put_slice(batch.body());
            }
        }
        let length = (expected.len() - 4) as i32;
        expected[..4].copy_from_slice(&length.to_be_bytes());

        let (head, rest) = frame.parts();
        assert_eq!([head, &rest.concat()[..]].concat(), expected);
        let bodies: Vec<*const u8> = rest.iter().step_by(2).map(|segment| segment.as_ptr()).collect();
        assert_eq!(bodies, [b.body().as_ptr(), c.body().as_ptr(), a.body().as_ptr()]);
    }

    #[test]
    fn a_partition_twice_is_refused_before_the_broker_loses_one_in_silence() {
        let twice = request(vec![
            (TopicPartition::new("orders", 1), batch(b"a")),
            (TopicPartition::new("orders", 0), batch(b"b")),
            (TopicPartition::new("orders", 1), batch(b"c")),
        ]);
        let error = encode(BytesMut::from(&[0; 14][..]), &twice).unwrap_err();
        assert!(
            error.to_string().contains("orders-1 is in the request twice"),
            "{error}"
        );
    }
}
