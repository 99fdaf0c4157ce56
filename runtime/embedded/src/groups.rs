//! Consumer groups: classic ones, those of KIP-848, and the offsets of both.
//!
//! State machines without I/O: time is passed in as what has gone by since the cluster's start.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kafka_protocol::ResponseError;

pub(crate) mod classic;
pub(crate) mod consumer;
pub(crate) mod offsets;

use self::offsets::Offsets;
use crate::log::Outcome;

/// Limits and times, as the broker's configuration names them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// `group.initial.rebalance.delay.ms`
    pub(crate) initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`
    pub(crate) min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`
    pub(crate) max_session_timeout: Duration,
    /// `group.consumer.session.timeout.ms`, `group.consumer.heartbeat.interval.ms`
    pub(crate) consumer: consumer::Times,
}

#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<String, Group>,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) kind: Kind,
    pub(crate) offsets: Offsets,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Classic(classic::Group),
    Consumer(consumer::Group),
}

// === impl Groups ===

impl Groups {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(id, group)| (id.as_str(), group))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.groups.get_mut(id)
    }

    /// A classic group that is there.
    pub(crate) fn classic(&mut self, id: &str) -> Result<&mut classic::Group, ResponseError> {
        match self.groups.get_mut(id).map(|group| &mut group.kind) {
            Some(Kind::Classic(group)) => Ok(group),
            Some(Kind::Consumer(_)) | None => Err(ResponseError::UnknownMemberId),
        }
    }

    pub(crate) fn join(
        &mut self,
        now: Duration,
        id: &str,
        join: classic::Join,
        options: &Options,
        reply: classic::JoinReply,
    ) {
        match self.joinable(id, &join, options) {
            Ok(group) => group.join(now, join, reply),
            Err(error) => {
                let _ = reply.send(Err(classic::Refused {
                    error,
                    member: join.member,
                }));
            }
        }
    }

    fn joinable(
        &mut self,
        id: &str,
        join: &classic::Join,
        options: &Options,
    ) -> Result<&mut classic::Group, ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        if !(options.min_session_timeout..=options.max_session_timeout).contains(&join.session_timeout) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        let new = || classic::Group::new(options.initial_rebalance_delay);
        if !self.groups.contains_key(id) && !join.member.is_empty() {
            return Err(ResponseError::UnknownMemberId);
        }
        let group = self
            .groups
            .entry(id.to_owned())
            .or_insert_with(|| Group::classic(new()));
        if let Kind::Consumer(consumer) = &group.kind {
            // The way from one protocol to the other without a stop (KIP-848, "migration") is left out.
            if !consumer.is_empty() {
                return Err(ResponseError::InconsistentGroupProtocol);
            }
            group.kind = Kind::Classic(new());
        }
        match &mut group.kind {
            Kind::Classic(group) => Ok(group),
            Kind::Consumer(_) => Err(ResponseError::InconsistentGroupProtocol),
        }
    }

    pub(crate) fn consumer_heartbeat(
        &mut self,
        now: Duration,
        id: &str,
        beat: consumer::Beat,
        options: &Options,
        topics: &dyn consumer::Topics,
    ) -> Result<consumer::Beaten, ResponseError> {
        let times = options.consumer;
        if beat.epoch == 0 {
            let new = || Group {
                kind: Kind::Consumer(consumer::Group::new(times)),
                offsets: Offsets::default(),
            };
            let group = self.groups.entry(id.to_owned()).or_insert_with(new);
            if matches!(&group.kind, Kind::Classic(classic) if classic.is_empty()) {
                group.kind = Kind::Consumer(consumer::Group::new(times));
            }
        }
        match self.groups.get_mut(id).map(|group| &mut group.kind) {
            Some(Kind::Consumer(group)) => group.heartbeat(now, beat, topics),
            Some(Kind::Classic(_)) | None => Err(ResponseError::GroupIdNotFound),
        }
    }

    /// The group to commit offsets to; one without members need not be there before.
    pub(crate) fn for_commit(&mut self, id: &str, generation: i32) -> Result<&mut Group, ResponseError> {
        if !self.groups.contains_key(id) {
            if generation >= 0 {
                return Err(ResponseError::GroupIdNotFound);
            }
            // Should members come, they need not wait: nobody joins a group that is used without members.
            let new = classic::Group::new(Duration::ZERO);
            self.groups.insert(id.to_owned(), Group::classic(new));
        }
        self.groups.get_mut(id).ok_or(ResponseError::GroupIdNotFound)
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), ResponseError> {
        let group = self.groups.get(id).ok_or(ResponseError::GroupIdNotFound)?;
        if !group.is_empty() {
            return Err(ResponseError::NonEmptyGroup);
        }
        self.groups.remove(id);
        Ok(())
    }

    /// Offsets of a topic end with it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for group in self.groups.values_mut() {
            group.offsets.forget_topic(topic);
        }
    }

    /// The end of a transaction that has offsets of this group.
    pub(crate) fn end_transaction(&mut self, id: &str, producer_id: i64, outcome: Outcome) {
        if let Some(group) = self.groups.get_mut(id) {
            group.offsets.end(producer_id, outcome);
        }
    }

    pub(crate) fn tick(&mut self, now: Duration, topics: &dyn consumer::Topics) {
        for group in self.groups.values_mut() {
            match &mut group.kind {
                Kind::Classic(group) => group.tick(now),
                Kind::Consumer(group) => group.tick(now, topics),
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let deadlines = self.groups.values().filter_map(|group| match &group.kind {
            Kind::Classic(group) => group.next_deadline(),
            Kind::Consumer(group) => group.next_deadline(),
        });
        deadlines.min()
    }
}

// === impl Group ===

impl Group {
    fn classic(group: classic::Group) -> Self {
        Self {
            kind: Kind::Classic(group),
            offsets: Offsets::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Classic(group) => group.is_empty(),
            Kind::Consumer(group) => group.is_empty(),
        }
    }

    pub(crate) fn state(&self) -> &'static str {
        match &self.kind {
            Kind::Classic(group) => group.state().name(),
            Kind::Consumer(group) => group.state(),
        }
    }

    /// As ListGroups filters by (KIP-848).
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Classic(_) => "classic",
            Kind::Consumer(_) => "consumer",
        }
    }

    pub(crate) fn protocol_type(&self) -> &str {
        match &self.kind {
            Kind::Classic(group) => group.protocol_type(),
            Kind::Consumer(_) => "consumer",
        }
    }

    /// Topics whose offsets must not be deleted under the group's consumers.
    pub(crate) fn subscribed(&self) -> Option<BTreeSet<String>> {
        match &self.kind {
            Kind::Classic(group) => group.subscribed(),
            Kind::Consumer(group) => Some(group.subscribed()),
        }
    }
}
