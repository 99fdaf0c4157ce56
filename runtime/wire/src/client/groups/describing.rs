//! DescribeGroups and ConsumerGroupDescribe: who is in a group.

use std::collections::HashMap;

use kafka_protocol::{
    messages::{
        ConsumerGroupDescribeRequest, DescribeGroupsRequest, GroupId as Id, consumer_group_describe_response,
        describe_groups_response,
    },
    protocol::StrBytes,
};
use towpath_domain::GroupId;

use super::{
    super::{
        Client,
        coordinators::{Answered, Asked, Coordinated},
    },
    GroupType,
};
use crate::{
    Connection, Error, KafkaError,
    api::{Api, Call},
};

/// A group as its coordinator describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// Classic or Consumer.
    pub group_type: GroupType,
    /// By Kafka's names (`Stable`, `Empty`).
    pub state: String,
    pub members: Vec<GroupMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub member_id: String,
    /// `group.instance.id`, of a static member.
    pub instance_id: Option<String>,
    pub client_id: String,
    /// Its address, as the broker sees it.
    pub client_host: String,
}

/// Up to version 5 of DescribeGroups the state of a group that is not there.
const DEAD: &str = "Dead";

// === impl Client ===

impl Client {
    /// Describes classic groups and those of KIP-848, each with its result. GROUP_ID_NOT_FOUND when there is no such group, and when it has another type:
    /// whether a share or streams group has members is in [`Client::list_groups`]. Needs Describe on the groups, and on the topics that members of KIP-848
    /// groups read.
    pub async fn describe_groups(
        &self,
        groups: &[GroupId],
    ) -> HashMap<GroupId, Result<DescribedGroup, Error>> {
        let mut described = HashMap::with_capacity(groups.len());
        let mut others = Vec::new();
        for (of, result) in self.describe_classic(groups).await {
            let group = GroupId(of.id().to_owned());
            if is_not_found(&result) {
                others.push(group.clone());
            }
            described.insert(group, result);
        }
        for (of, result) in self.describe_consumer(&others).await {
            // A broker without such groups has said all it knows.
            if !matches!(result, Err(Error::UnsupportedApi { .. })) {
                described.insert(GroupId(of.id().to_owned()), result);
            }
        }
        described
    }

    async fn describe_classic(
        &self,
        groups: &[GroupId],
    ) -> HashMap<Coordinated, Result<DescribedGroup, Error>> {
        let request = |asked: Asked<'_>| {
            DescribeGroupsRequest::default().with_groups(asked.of.iter().map(id).collect())
        };
        self.at_coordinators(coordinated(groups), 0, request, |connection, _, answer| {
            answer
                .groups
                .into_iter()
                .map(|group| classic(connection, group))
                .collect()
        })
        .await
    }

    async fn describe_consumer(
        &self,
        groups: &[GroupId],
    ) -> HashMap<Coordinated, Result<DescribedGroup, Error>> {
        let request = |asked: Asked<'_>| {
            ConsumerGroupDescribeRequest::default().with_group_ids(asked.of.iter().map(id).collect())
        };
        self.at_coordinators(coordinated(groups), 0, request, |connection, _, answer| {
            answer
                .groups
                .into_iter()
                .map(|group| consumer(connection, group))
                .collect()
        })
        .await
    }
}

fn coordinated(groups: &[GroupId]) -> impl Iterator<Item = Coordinated> {
    groups.iter().cloned().map(Coordinated::Group)
}

fn id(of: &Coordinated) -> Id {
    Id(StrBytes::from_string(of.id().to_owned()))
}

fn is_not_found(result: &Result<DescribedGroup, Error>) -> bool {
    result
        .as_ref()
        .is_err_and(|error| error.kafka() == Some(KafkaError::GROUP_ID_NOT_FOUND))
}

fn classic(
    connection: &Connection,
    group: describe_groups_response::DescribedGroup,
) -> Answered<DescribedGroup> {
    let error = match KafkaError::of(group.error_code) {
        None if group.group_state.as_str() == DEAD => Some(KafkaError::GROUP_ID_NOT_FOUND),
        error => error,
    };
    let member = |member: describe_groups_response::DescribedGroupMember| GroupMember {
        member_id: member.member_id.to_string(),
        instance_id: member.group_instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
    };
    let described = DescribedGroup {
        group_type: GroupType::Classic,
        state: group.group_state.to_string(),
        members: group.members.into_iter().map(member).collect(),
    };
    let api = DescribeGroupsRequest::API;
    answered(
        connection,
        api,
        &group.group_id,
        described,
        error,
        group.error_message,
    )
}

fn consumer(
    connection: &Connection,
    group: consumer_group_describe_response::DescribedGroup,
) -> Answered<DescribedGroup> {
    let error = KafkaError::of(group.error_code);
    let member = |member: consumer_group_describe_response::Member| GroupMember {
        member_id: member.member_id.to_string(),
        instance_id: member.instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
    };
    let described = DescribedGroup {
        group_type: GroupType::Consumer,
        state: group.group_state.to_string(),
        members: group.members.into_iter().map(member).collect(),
    };
    let api = ConsumerGroupDescribeRequest::API;
    answered(
        connection,
        api,
        &group.group_id,
        described,
        error,
        group.error_message,
    )
}

fn answered(
    connection: &Connection,
    api: Api,
    id: &str,
    described: DescribedGroup,
    error: Option<KafkaError>,
    message: Option<StrBytes>,
) -> Answered<DescribedGroup> {
    let of = Coordinated::Group(GroupId(id.to_owned()));
    let result = match error {
        None => Ok(described),
        Some(error) => {
            let message = message.map(|message| message.to_string());
            let message = message.filter(|message| !message.is_empty());
            Err(connection.refusal(api, Some(of.to_string()), error, message))
        }
    };
    (of, result)
}
