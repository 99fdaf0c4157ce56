use std::{cmp::Ordering, ops::RangeInclusive};

use kafka_protocol::{
    messages::{
        CreatePartitionsRequest, CreatePartitionsResponse, create_partitions_request::CreatePartitionsTopic,
        create_partitions_response::CreatePartitionsTopicResult,
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::Operation,
    context::Context,
    state::{Denied, Placement, State},
};

impl Api for CreatePartitionsRequest {
    const SERVED: RangeInclusive<i16> = 0..=3;

    async fn handle(self, ctx: &Context, _: i16) -> CreatePartitionsResponse {
        let mut state = ctx.state();
        let results = self.topics.iter().map(|topic| {
            match check_access(ctx, &state, &topic.name)
                .and_then(|()| create(&mut state, topic, self.validate_only))
            {
                Ok(()) => CreatePartitionsTopicResult::default().with_name(topic.name.clone()),
                Err(denied) => refused(topic, denied.code, Some(denied.message)),
            }
        });
        let results = results.collect();
        CreatePartitionsResponse::default().with_results(results)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> CreatePartitionsResponse {
        let results = self.topics.iter().map(|topic| refused(topic, code, None));
        CreatePartitionsResponse::default().with_results(results.collect())
    }

    fn throttle(answer: &mut CreatePartitionsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, _: &Context) -> Vec<StrBytes> {
        self.topics.iter().map(|topic| topic.name.0.clone()).collect()
    }
}

fn refused(
    topic: &CreatePartitionsTopic,
    code: ErrorCode,
    message: Option<String>,
) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(code.code())
        .with_error_message(message.map(StrBytes::from_string))
}

fn check_access(ctx: &Context, state: &State, topic: &str) -> Result<(), Denied> {
    state
        .check_topic_access(&ctx.client, Operation::Alter, topic)
        .map_err(Denied::from)
}

fn create(state: &mut State, asked: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Denied> {
    let topic = state.topics.get(&asked.name).ok_or_else(|| {
        Denied::new(
            ErrorCode::UnknownTopicOrPartition,
            "This server does not host this topic-partition.",
        )
    })?;
    let has = topic.partitions.len();
    let replicas = topic
        .partitions
        .first()
        .map_or(1, |partition| partition.replicas.len());
    let wanted = usize::try_from(asked.count).unwrap_or(0);
    let message = match wanted.cmp(&has) {
        Ordering::Less => Some(format!(
            "The topic {} currently has {has} partition(s); {} would not be an increase.",
            topic.name.as_str(),
            asked.count
        )),
        Ordering::Equal => Some(format!("Topic already has {has} partition(s).")),
        Ordering::Greater => None,
    };
    if let Some(message) = message {
        return Err(Denied::new(ErrorCode::InvalidPartitions, message));
    }
    let placement = match &asked.assignments {
        None => Placement::Count {
            partitions: (wanted - has) as i32,
            replicas,
        },
        Some(assigned) if assigned.len() == wanted - has => Placement::Assigned(
            assigned
                .iter()
                .map(|assignment| assignment.broker_ids.iter().map(|id| id.0).collect())
                .collect(),
        ),
        Some(assigned) => {
            let message = format!(
                "Attempted to add {} additional partition(s), but only {} assignment(s) were specified.",
                wanted - has,
                assigned.len()
            );
            return Err(Denied::new(ErrorCode::InvalidReplicaAssignment, message));
        }
    };
    state.check_placement(&placement)?;
    if !validate_only {
        state.grow_topic(&asked.name, placement);
    }
    Ok(())
}
