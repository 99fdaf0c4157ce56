//! A consumer group (KIP-848): ConsumerGroupHeartbeat, as Kafka's `GroupMetadataManager` has it.
//!
//! The coordinator assigns. A change of members or topics raises the group epoch; a target assignment is made for it; and each
//! member is brought to its target in heartbeats of its own: it gives up what it loses before another gets it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kafka_protocol::ResponseError;
use regex::Regex;
use uuid::Uuid;

mod assignor;
mod heartbeat;
mod member;
mod reconcile;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    assignor::Assignor,
    heartbeat::{Beat, Beaten},
    member::Member,
};

/// Partitions by topic id.
pub(crate) type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// What the group needs to know of the cluster's topics.
pub(crate) trait Topics {
    fn names(&self) -> Vec<String>;

    /// Id and number of partitions.
    fn topic(&self, name: &str) -> Option<(Uuid, i32)>;
}

/// `group.consumer.session.timeout.ms` and `group.consumer.heartbeat.interval.ms`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) session: Duration,
    pub(crate) heartbeat: Duration,
}

#[derive(Debug)]
pub(crate) struct Group {
    times: Times,
    /// Raised when members, subscriptions or topics change.
    epoch: i32,
    /// The group epoch that the targets were made for.
    target_epoch: i32,
    targets: BTreeMap<String, Assignment>,
    assignor: Assignor,
    members: BTreeMap<String, Member>,
    /// Static members (KIP-345): `group.instance.id` to member id.
    instances: BTreeMap<String, String>,
    /// The subscribed topics as they were when the targets were made.
    seen: BTreeMap<String, (Uuid, i32)>,
}

// === impl Group ===

impl Group {
    pub(crate) fn new(times: Times) -> Self {
        Self {
            times,
            // Epoch 1 has no assignment, so that a member can be told to wait for one: 0 would mean that it joins (KIP-1263).
            epoch: 1,
            target_epoch: 1,
            targets: BTreeMap::new(),
            assignor: Assignor::Uniform,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch {
            "Assigning"
        } else if self
            .members
            .values()
            .any(|member| !member.is_at(self.target_epoch))
        {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    pub(crate) fn target_epoch(&self) -> i32 {
        self.target_epoch
    }

    pub(crate) fn assignor(&self) -> Assignor {
        self.assignor
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn has(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    pub(crate) fn target(&self, member: &str) -> Assignment {
        self.targets.get(member).cloned().unwrap_or_default()
    }

    pub(crate) fn subscribed(&self) -> BTreeSet<String> {
        self.seen.keys().cloned().collect()
    }

    /// Sessions that ended, and members that do not give up partitions in time.
    pub(crate) fn tick(&mut self, now: Duration, topics: &dyn Topics) {
        let late = self.members.values().filter(|member| member.is_expired(now));
        let late: Vec<_> = late.map(|member| member.id.clone()).collect();
        if late.is_empty() {
            return;
        }
        for id in late {
            self.forget(&id);
        }
        self.epoch += 1;
        self.assign(topics);
    }

    /// When [`Group::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.members.values().map(Member::deadline).min()
    }

    /// Who may commit or fetch offsets: members at their epoch, and anybody while the group is empty.
    pub(crate) fn check_commit(&self, member: &str, epoch: i32) -> Result<(), ResponseError> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get(member).ok_or(ResponseError::UnknownMemberId)?;
        if epoch == member.epoch {
            Ok(())
        } else {
            Err(ResponseError::StaleMemberEpoch)
        }
    }

    fn forget(&mut self, id: &str) {
        self.targets.remove(id);
        if let Some(instance) = self.members.remove(id).and_then(|member| member.instance) {
            self.instances.remove(&instance);
        }
    }

    /// Makes the targets of the present epoch.
    fn assign(&mut self, topics: &dyn Topics) {
        self.seen = self.subscribed_topics(topics);
        self.assignor = self.preferred_assignor();
        self.targets = self
            .assignor
            .assign(&self.members, &self.targets, &self.seen, topics);
        self.target_epoch = self.epoch;
    }

    /// The assignor that most members ask for.
    fn preferred_assignor(&self) -> Assignor {
        let wished = |wanted| {
            self.members
                .values()
                .filter(|member| member.assignor == Some(wanted))
                .count()
        };
        if wished(Assignor::Range) > wished(Assignor::Uniform) {
            Assignor::Range
        } else {
            Assignor::Uniform
        }
    }

    fn subscribed_topics(&self, topics: &dyn Topics) -> BTreeMap<String, (Uuid, i32)> {
        let names: BTreeSet<_> = self
            .members
            .values()
            .flat_map(|member| member.subscribed(topics))
            .collect();
        let known = names
            .into_iter()
            .filter_map(|name| topics.topic(&name).map(|topic| (name, topic)));
        known.collect()
    }
}

/// A regular expression of a subscription matches whole names (RE2/J's `matches`).
fn whole_name(pattern: &str) -> Result<Regex, ResponseError> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|_| ResponseError::InvalidRegularExpression)
}
