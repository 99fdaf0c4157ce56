use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        BrokerId, FetchRequest, FetchResponse, TopicName,
        fetch_response::{FetchableTopicResponse, NodeEndpoint, PartitionData},
    },
    protocol::StrBytes,
};
use tokio::{sync::Notify, time::Instant};

use super::{Api, number};
use crate::{ErrorCode, context::Context, quotas::Rate, state::State};

mod read;
mod sessions;

pub(crate) use sessions::Sessions;

use read::{Reader, failed};
use sessions::{Asked, Session};

impl Api for FetchRequest {
    const SERVED: RangeInclusive<i16> = 4..=17;

    async fn handle(self, ctx: &Context, version: i16) -> FetchResponse {
        let session = match Session::begin(ctx, &self, version) {
            Ok(session) => session,
            Err(code) => return top_level(code),
        };
        let deadline = Instant::now() + Duration::from_millis(u64::try_from(self.max_wait_ms).unwrap_or(0));
        let wake = Arc::new(Notify::new());
        let mut reader = Reader::new(ctx, &self, version);
        reader.refuse(ctx, session.asked());
        let answer = loop {
            {
                let mut state = ctx.state();
                let late = Instant::now() >= deadline;
                if late || reader.is_enough(&state, session.asked()) {
                    let read = reader.read(&state, session.asked());
                    break answer(ctx, &mut state, session, read, version);
                }
                for asked in session.asked() {
                    if let Some(partition) = state.topics.partition_mut(&asked.topic, asked.partition) {
                        partition.log.wait(&wake);
                    }
                }
            }
            // Whichever comes first; what follows looks again in any case.
            let _ = tokio::time::timeout_at(deadline, wake.notified()).await;
        };
        ctx.count(Rate::Fetch, bytes(&answer));
        answer
    }

    fn refuse(&self, ctx: &Context, code: ErrorCode, version: i16) -> FetchResponse {
        if matches!(
            code,
            ErrorCode::FetchSessionIdNotFound
                | ErrorCode::InvalidFetchSessionEpoch
                | ErrorCode::FetchSessionTopicIdError
        ) {
            return top_level(code);
        }
        match Session::begin(ctx, self, version) {
            Ok(session) => {
                let read = session.asked().iter().map(|asked| failed(asked, code)).collect();
                answer(ctx, &mut ctx.state(), session, read, version)
            }
            Err(code) => top_level(code),
        }
    }

    fn throttle(answer: &mut FetchResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, ctx: &Context) -> Vec<StrBytes> {
        sessions::topics(ctx, self)
    }
}

/// Of records.
fn bytes(answer: &FetchResponse) -> usize {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    partitions
        .filter_map(|partition| partition.records.as_ref())
        .map(Bytes::len)
        .sum()
}

/// The session's error, or one for everything.
fn top_level(code: ErrorCode) -> FetchResponse {
    FetchResponse::default().with_error_code(number(Some(code)))
}

/// Partitions under their topics, in the order in which they were asked for; those that have nothing new are left out of a session's
/// later answers.
fn answer(
    ctx: &Context,
    state: &mut State,
    mut session: Session,
    read: Vec<PartitionData>,
    version: i16,
) -> FetchResponse {
    let news = session.finish(ctx, state, &read);
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    let mut leaders: Vec<i32> = Vec::new();
    for ((asked, partition), is_new) in session.asked().iter().zip(read).zip(news) {
        if !is_new {
            continue;
        }
        if partition.current_leader.leader_id.0 >= 0 {
            leaders.push(partition.current_leader.leader_id.0);
        }
        match topics.last_mut().filter(|topic| is_same(topic, asked, version)) {
            Some(topic) => topic.partitions.push(partition),
            None => {
                let topic = FetchableTopicResponse::default().with_partitions(vec![partition]);
                topics.push(if version >= 13 {
                    topic.with_topic_id(asked.id)
                } else {
                    topic.with_topic(TopicName(asked.topic.clone()))
                });
            }
        }
    }
    FetchResponse::default()
        .with_session_id(session.id())
        .with_responses(topics)
        .with_node_endpoints(if version >= 16 {
            endpoints(state, leaders)
        } else {
            Vec::new()
        })
}

fn is_same(topic: &FetchableTopicResponse, asked: &Asked, version: i16) -> bool {
    if version >= 13 {
        topic.topic_id == asked.id
    } else {
        topic.topic.0 == asked.topic
    }
}

fn endpoints(state: &State, mut leaders: Vec<i32>) -> Vec<NodeEndpoint> {
    leaders.sort_unstable();
    leaders.dedup();
    let endpoint = |id: i32| {
        let broker = state.brokers.get(&id)?;
        let endpoint = NodeEndpoint::default()
            .with_node_id(BrokerId(id))
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(i32::from(broker.port))
            .with_rack(broker.rack.clone().map(StrBytes::from_string));
        Some(endpoint)
    };
    leaders.into_iter().filter_map(endpoint).collect()
}
