//! Groups as an administrator sees them: which there are, who is in them, and the offsets they have committed.
//!
//! What is a mirror's concern is where a group goes on reading, so offsets are read and written, and members only counted: as long as a group has members,
//! brokers take offsets from nobody else.

mod committing;
mod describing;
mod offsets;

use std::collections::BTreeMap;

use futures::future::try_join_all;
use kafka_protocol::messages::{ListGroupsRequest, list_groups_response::ListedGroup as Listed};
use towpath_domain::GroupId;

use super::{Client, NodeId};
use crate::{Error, KafkaError, api::Call, retry::Attempts};

pub use describing::{DescribedGroup, GroupMember};
pub use offsets::CommittedOffset;

/// A group as its coordinator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    pub id: GroupId,
    /// What its members do together: `consumer`, `connect`. Empty for one that has only ever had offsets committed to it.
    pub protocol_type: String,
    /// By Kafka's names (`Stable`, `Empty`); `None` before Kafka 2.6.
    pub state: Option<String>,
    /// `None` from a broker that does not tell types (before Kafka 3.8): then it is classic.
    pub group_type: Option<GroupType>,
}

/// How a group's members agree on who reads what (KIP-848, KIP-932, KIP-1071).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupType {
    /// By a leader among them.
    Classic,
    /// By the coordinator.
    Consumer,
    /// They share partitions, and have no offsets of this kind.
    Share,
    Streams,
    /// A type newer than this list, by its name.
    Other(String),
}

// === impl Client ===

impl Client {
    /// The groups of all brokers, sorted by their ids. All brokers have to answer, or groups would be missing; what can be tried again is, for at most
    /// `request_timeout`. A group whose coordinator moves meanwhile may be missing, too.
    ///
    /// Needs Describe on the cluster or on the groups: those without are left out, and nobody says so.
    pub async fn list_groups(&self) -> Result<Vec<ListedGroup>, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        loop {
            match self.list_groups_once().await {
                Ok(groups) => return Ok(groups),
                Err(error) => attempts.wait(error).await?,
            };
        }
    }

    async fn list_groups_once(&self) -> Result<Vec<ListedGroup>, Error> {
        // Which brokers there are now: what a broker that is gone had coordinated is with others.
        self.metadata_once(&super::Topics::Names(Vec::new())).await?;
        let nodes = self.cluster().nodes();
        let lists = try_join_all(nodes.into_iter().map(|node| self.list_groups_at(node))).await?;
        let groups = lists.into_iter().flatten();
        let groups: BTreeMap<GroupId, ListedGroup> = groups.map(|group| (group.id.clone(), group)).collect();
        Ok(groups.into_values().collect())
    }

    async fn list_groups_at(&self, node: NodeId) -> Result<Vec<ListedGroup>, Error> {
        let api = ListGroupsRequest::API;
        let connection = self.shared(node).await?;
        let version = connection.version(api, i16::MAX)?;
        let answer = connection.call(&ListGroupsRequest::default(), version).await?;
        match KafkaError::of(answer.error_code) {
            None => Ok(answer.groups.iter().map(ListedGroup::of).collect()),
            Some(error) => Err(connection.refusal(api, None, error, None)),
        }
    }
}

// === impl ListedGroup ===

impl ListedGroup {
    /// Whether it has members, whatever its type; `None` when the broker does not tell states.
    pub fn is_active(&self) -> Option<bool> {
        let state = self.state.as_deref()?;
        Some(!matches!(state, "Empty" | "Dead"))
    }

    fn of(group: &Listed) -> Self {
        let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            id: GroupId(group.group_id.to_string()),
            protocol_type: group.protocol_type.to_string(),
            state: told(&group.group_state),
            group_type: told(&group.group_type).map(GroupType::of),
        }
    }
}

// === impl GroupType ===

impl GroupType {
    /// `GroupType` of Kafka's clients, in whatever case.
    fn of(name: String) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "classic" => Self::Classic,
            "consumer" => Self::Consumer,
            "share" => Self::Share,
            "streams" => Self::Streams,
            _ => Self::Other(name),
        }
    }
}

#[cfg(test)]
mod tests;
