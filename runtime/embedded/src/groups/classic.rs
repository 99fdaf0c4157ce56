//! A classic group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, as Kafka's `GroupMetadataManager` has them.
//!
//! The state machine alone: time is passed in, and an answer that must wait is kept as the sender of it. Members choose a
//! protocol, the leader assigns, and the group only carries bytes between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

mod commit;
mod join;
mod leave;
mod member;
mod rebalance;
mod sync;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    commit::CommitKind,
    join::{Join, Joined, Refused},
    member::Member,
    sync::{Sync, Synced},
};

/// Where the answer to a JoinGroup goes, at once or when the group is complete.
pub(crate) type JoinReply = oneshot::Sender<Result<Joined, Refused>>;

/// Where the answer to a SyncGroup goes, at once or when the leader has assigned.
pub(crate) type SyncReply = oneshot::Sender<Result<Synced, ResponseError>>;

#[derive(Debug)]
pub(crate) struct Group {
    state: State,
    generation: i32,
    protocol_type: Option<String>,
    /// What the members agreed on; `None` while the group has no generation.
    protocol: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Ids that were given out with MEMBER_ID_REQUIRED, and until when the member may come back with it.
    pending: BTreeMap<String, Duration>,
    /// Static members (KIP-345): `group.instance.id` to member id.
    instances: BTreeMap<String, String>,
    /// Members are led by whoever came first.
    arrivals: u64,
    initial_delay: Duration,
}

/// A dead group is one that is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    /// Members come; what is still missing at the deadline is removed.
    PreparingRebalance {
        deadline: Duration,
        initial: Option<Initial>,
    },
    /// Members know their generation and wait for the leader's assignment; who did not ask for it at the deadline is removed.
    CompletingRebalance {
        deadline: Duration,
    },
    Stable,
}

/// The first rebalance of an empty group waits for more members (`group.initial.rebalance.delay.ms`), and goes on waiting
/// while new ones come, at most for a rebalance timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Initial {
    left: Duration,
    joined: usize,
}

// === impl State ===

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance { .. } => "PreparingRebalance",
            Self::CompletingRebalance { .. } => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

// === impl Group ===

impl Group {
    pub(crate) fn new(initial_delay: Duration) -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            pending: BTreeMap::new(),
            instances: BTreeMap::new(),
            arrivals: 0,
            initial_delay,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    pub(crate) fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    pub(crate) fn protocol(&self) -> &str {
        self.protocol.as_deref().unwrap_or_default()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// What a member said for the chosen protocol.
    pub(crate) fn metadata(&self, member: &Member) -> Bytes {
        member.metadata(self.protocol()).cloned().unwrap_or_default()
    }

    /// Keeps the session of a member, and tells it to join again when others come or go.
    pub(crate) fn heartbeat(
        &mut self,
        now: Duration,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.check_member(member, instance)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        self.keep_session(now, member);
        match self.state {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
            State::CompletingRebalance { .. } | State::Stable => Ok(()),
        }
    }

    /// What is due: sessions that ended, members that did not come back in time, delayed joins.
    pub(crate) fn tick(&mut self, now: Duration) {
        self.pending.retain(|_, deadline| *deadline > now);
        let expired: Vec<_> = self
            .members
            .values()
            .filter(|member| member.is_expired(now))
            .collect();
        let expired: Vec<_> = expired.into_iter().map(|member| member.id.clone()).collect();
        for id in expired {
            self.remove(now, &id);
        }
        if let State::CompletingRebalance { deadline } = self.state
            && deadline <= now
        {
            let missing = self.members.values().filter(|member| member.owes_sync);
            let missing: Vec<_> = missing.map(|member| member.id.clone()).collect();
            for id in &missing {
                self.remove(now, id);
            }
        }
        self.settle(now);
    }

    /// When [`Group::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let state = match self.state {
            State::PreparingRebalance { deadline, .. } | State::CompletingRebalance { deadline } => {
                Some(deadline)
            }
            State::Empty | State::Stable => None,
        };
        let sessions = self.members.values().filter_map(Member::deadline);
        let pending = self.pending.values().copied();
        state.into_iter().chain(sessions).chain(pending).min()
    }

    /// Topics that members of a consumer group have subscribed to; `None` if the group is none of consumers.
    pub(crate) fn subscribed(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some("consumer") {
            return None;
        }
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(member::subscription(self.metadata(member))?);
        }
        Some(topics)
    }

    fn check_member(&self, member: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(known) if known != member => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) {
            Ok(())
        } else {
            Err(ResponseError::UnknownMemberId)
        }
    }

    fn keep_session(&mut self, now: Duration, member: &str) {
        if let Some(member) = self.members.get_mut(member) {
            member.keep(now);
        }
    }
}
