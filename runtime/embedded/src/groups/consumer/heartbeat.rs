//! ConsumerGroupHeartbeat: joining, leaving, and being told what to own.

use std::{collections::BTreeSet, time::Duration};

use kafka_protocol::ResponseError;

use super::{
    Assignment, Assignor, Group, Member, Topics,
    member::{AWAY, Pattern, State},
    whole_name,
};

/// What a heartbeat says; what has not changed since the last one is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beat {
    pub(crate) member: String,
    /// 0 joins, -1 leaves, -2 leaves for a while (static members).
    pub(crate) epoch: i32,
    pub(crate) instance: Option<String>,
    pub(crate) rack: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout: Option<Duration>,
    pub(crate) topics: Option<BTreeSet<String>>,
    pub(crate) pattern: Option<String>,
    pub(crate) assignor: Option<String>,
    pub(crate) owned: Option<Assignment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beaten {
    pub(crate) member: String,
    pub(crate) epoch: i32,
    pub(crate) interval: Duration,
    /// Only when it changed, or when the member asked with all it knows.
    pub(crate) assignment: Option<Assignment>,
}

// === impl Beat ===

impl Beat {
    /// What is wrong whatever the group's state.
    pub(crate) fn check(&self) -> Result<(), (ResponseError, &'static str)> {
        let invalid = |message| Err((ResponseError::InvalidRequest, message));
        if self.member.is_empty() && self.epoch != 0 {
            return invalid("MemberId can't be empty.");
        }
        if self.instance.as_deref() == Some("") {
            return invalid("InstanceId can't be empty.");
        }
        if self.rack.as_deref() == Some("") {
            return invalid("RackId can't be empty.");
        }
        if self.epoch < AWAY {
            return invalid("MemberEpoch is invalid.");
        }
        if self.epoch == AWAY && self.instance.is_none() {
            return invalid("InstanceId can't be null.");
        }
        if self.epoch == 0 {
            if self.rebalance_timeout.is_none() {
                return invalid("RebalanceTimeoutMs must be provided in first request.");
            }
            if self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
                return invalid("TopicPartitions must be empty when (re-)joining.");
            }
            if self.topics.is_none() && self.pattern.is_none() {
                return invalid(
                    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
                );
            }
        }
        if self
            .assignor
            .as_deref()
            .is_some_and(|name| Assignor::named(name).is_none())
        {
            let message = "ServerAssignor is not supported. Supported assignors: uniform, range.";
            return Err((ResponseError::UnsupportedAssignor, message));
        }
        Ok(())
    }
}

// === impl Group ===

impl Group {
    pub(crate) fn heartbeat(
        &mut self,
        now: Duration,
        beat: Beat,
        topics: &dyn Topics,
    ) -> Result<Beaten, ResponseError> {
        if beat.epoch < 0 {
            return self.leave(now, &beat, topics);
        }
        let pattern = beat.pattern.clone().filter(|text| !text.is_empty());
        let pattern = pattern
            .map(|text| whole_name(&text).map(|regex| Pattern { text, regex }))
            .transpose()?;
        let is_new = self.admit(now, &beat)?;
        let whole = beat.epoch == 0
            || (beat.rebalance_timeout.is_some() && beat.topics.is_some() && beat.owned.is_some());
        let session = self.times.session;
        let Some(member) = self.members.get_mut(&beat.member) else {
            return Err(ResponseError::UnknownMemberId);
        };
        member.session_end = now + session;
        let changed = member.update(&beat, pattern);
        if is_new || changed || self.subscribed_topics(topics) != self.seen {
            self.epoch += 1;
        }
        if self.epoch > self.target_epoch {
            self.assign(topics);
        }
        let before = self
            .members
            .get(&beat.member)
            .map(|member| member.assigned.clone());
        self.reconcile(now, &beat.member, beat.owned.as_ref());
        let member = self
            .members
            .get(&beat.member)
            .ok_or(ResponseError::UnknownMemberId)?;
        let told = whole || before.as_ref() != Some(&member.assigned);
        Ok(Beaten {
            member: member.id.clone(),
            epoch: member.epoch,
            interval: self.times.heartbeat,
            assignment: told.then(|| member.assigned.clone()),
        })
    }

    /// Finds the member, or makes it; true if it is new to the group.
    fn admit(&mut self, now: Duration, beat: &Beat) -> Result<bool, ResponseError> {
        let known = beat
            .instance
            .as_ref()
            .and_then(|instance| self.instances.get(instance))
            .cloned();
        if let Some(old) = known {
            if beat.epoch == 0 {
                self.take_over(&old, beat)?;
                return Ok(false);
            }
            if old != beat.member {
                return Err(ResponseError::FencedInstanceId);
            }
        }
        if beat.epoch != 0 && beat.instance.is_some() && !self.members.contains_key(&beat.member) {
            return Err(ResponseError::UnknownMemberId);
        }
        let Some(member) = self.members.get_mut(&beat.member) else {
            if beat.epoch != 0 {
                return Err(ResponseError::UnknownMemberId);
            }
            self.add(now, beat);
            return Ok(true);
        };
        if beat.epoch == 0 {
            // The answer to its join was lost, or it starts anew: it is told again what it has.
            return Ok(false);
        }
        let behind = beat.epoch == member.previous_epoch && is_within(beat.owned.as_ref(), &member.assigned);
        if beat.epoch != member.epoch && !behind {
            return Err(ResponseError::FencedMemberEpoch);
        }
        Ok(false)
    }

    /// A static member comes back under another member id and gets what it had.
    fn take_over(&mut self, old: &str, beat: &Beat) -> Result<(), ResponseError> {
        if self.members.get(old).is_none_or(|member| member.epoch != AWAY) {
            return Err(ResponseError::UnreleasedInstanceId);
        }
        if let Some(mut member) = self.members.remove(old) {
            member.id.clone_from(&beat.member);
            member.epoch = 0;
            member.previous_epoch = 0;
            member.state = State::Stable;
            self.members.insert(beat.member.clone(), member);
        }
        if let Some(target) = self.targets.remove(old) {
            self.targets.insert(beat.member.clone(), target);
        }
        if let Some(instance) = &beat.instance {
            self.instances.insert(instance.clone(), beat.member.clone());
        }
        Ok(())
    }

    fn add(&mut self, now: Duration, beat: &Beat) {
        if let Some(instance) = &beat.instance {
            self.instances.insert(instance.clone(), beat.member.clone());
        }
        let member = Member {
            id: beat.member.clone(),
            instance: beat.instance.clone(),
            rack: None,
            client_id: beat.client_id.clone(),
            client_host: beat.client_host.clone(),
            topics: BTreeSet::new(),
            pattern: None,
            assignor: None,
            epoch: 0,
            previous_epoch: 0,
            state: State::Stable,
            assigned: Assignment::new(),
            revoking: Assignment::new(),
            rebalance_timeout: Duration::ZERO,
            session_end: now + self.times.session,
            revoke_until: None,
        };
        self.members.insert(beat.member.clone(), member);
    }

    fn leave(&mut self, now: Duration, beat: &Beat, topics: &dyn Topics) -> Result<Beaten, ResponseError> {
        let member = match &beat.instance {
            None => &beat.member,
            Some(instance) => match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(known) if *known != beat.member => return Err(ResponseError::FencedInstanceId),
                Some(known) => known,
            },
        };
        let Some(member) = self.members.get_mut(member) else {
            return Err(ResponseError::UnknownMemberId);
        };
        if beat.epoch == AWAY {
            member.epoch = AWAY;
            member.previous_epoch = AWAY;
            member.revoking.clear();
            member.revoke_until = None;
            member.session_end = now + self.times.session;
        } else {
            let id = member.id.clone();
            self.forget(&id);
            self.epoch += 1;
            self.assign(topics);
        }
        Ok(Beaten {
            member: beat.member.clone(),
            epoch: beat.epoch,
            interval: self.times.heartbeat,
            assignment: None,
        })
    }
}

// === impl Member ===

impl Member {
    /// Takes over what the heartbeat says anew; true if that changes what the member should own.
    fn update(&mut self, beat: &Beat, pattern: Option<Pattern>) -> bool {
        if let Some(timeout) = beat.rebalance_timeout {
            self.rebalance_timeout = timeout;
        }
        self.rack = beat.rack.clone().or(self.rack.take());
        self.client_id.clone_from(&beat.client_id);
        self.client_host.clone_from(&beat.client_host);
        let mut changed = false;
        if let Some(topics) = &beat.topics
            && *topics != self.topics
        {
            self.topics.clone_from(topics);
            changed = true;
        }
        if let Some(text) = &beat.pattern {
            let known = self.pattern.as_ref().map_or("", |known| &known.text);
            if text != known {
                self.pattern = pattern;
                changed = true;
            }
        }
        let assignor = beat.assignor.as_deref().and_then(Assignor::named);
        if assignor.is_some() && assignor != self.assignor {
            self.assignor = assignor;
            changed = true;
        }
        changed
    }
}

/// Whether a member that missed an answer owns no more than it was given.
fn is_within(owned: Option<&Assignment>, assigned: &Assignment) -> bool {
    let Some(owned) = owned else {
        return false;
    };
    let given = |topic| assigned.get(topic).cloned().unwrap_or_default();
    owned
        .iter()
        .all(|(topic, partitions)| partitions.is_subset(&given(topic)))
}
