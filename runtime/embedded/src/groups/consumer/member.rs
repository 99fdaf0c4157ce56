//! One member of a consumer group, and how far it is with its assignment.

use std::{collections::BTreeSet, time::Duration};

use regex::Regex;

use super::{Assignment, Assignor, Topics};

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// `group.instance.id` of a static member.
    pub(crate) instance: Option<String>,
    pub(crate) rack: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) topics: BTreeSet<String>,
    pub(crate) pattern: Option<Pattern>,
    pub(super) assignor: Option<Assignor>,
    /// What the member has reached; -2 while a static member is away.
    pub(crate) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) state: State,
    pub(crate) assigned: Assignment,
    /// To be given up before the member reaches the next epoch.
    pub(super) revoking: Assignment,
    pub(super) rebalance_timeout: Duration,
    pub(super) session_end: Duration,
    pub(super) revoke_until: Option<Duration>,
}

/// `SubscribedTopicRegex`: what was said, and what it means.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    pub(super) regex: Regex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Stable,
    /// The member still has partitions that it must give up.
    Revoking,
    /// The member waits for partitions that others still have.
    Waiting,
}

/// A static member that left for a while.
pub(super) const AWAY: i32 = -2;

// === impl Member ===

impl Member {
    pub(super) fn is_at(&self, epoch: i32) -> bool {
        self.state == State::Stable && self.epoch == epoch
    }

    pub(super) fn deadline(&self) -> Duration {
        self.revoke_until
            .map_or(self.session_end, |until| until.min(self.session_end))
    }

    pub(super) fn is_expired(&self, now: Duration) -> bool {
        self.deadline() <= now
    }

    pub(super) fn subscribes(&self, topic: &str) -> bool {
        let matches = |pattern: &Pattern| pattern.regex.is_match(topic);
        self.topics.contains(topic) || self.pattern.as_ref().is_some_and(matches)
    }

    pub(super) fn subscribed(&self, topics: &dyn Topics) -> BTreeSet<String> {
        let mut names = self.topics.clone();
        if self.pattern.is_some() {
            names.extend(topics.names().into_iter().filter(|name| self.subscribes(name)));
        }
        names
    }
}
