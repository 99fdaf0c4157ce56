//! SyncGroup: the leader brings the assignment, the others wait for it.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::{Group, State, SyncReply};

/// What a SyncGroup says.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    pub(crate) member: String,
    pub(crate) instance: Option<String>,
    pub(crate) generation: i32,
    /// Checked when they are given (version 5).
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    /// Empty unless the leader speaks.
    pub(crate) assignments: BTreeMap<String, Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) assignment: Bytes,
}

// === impl Group ===

impl Group {
    pub(crate) fn sync(&mut self, now: Duration, sync: Sync, reply: SyncReply) {
        if let Err(error) = self.check_sync(&sync) {
            let _ = reply.send(Err(error));
            return;
        }
        self.keep_session(now, &sync.member);
        let is_leader = self.leader.as_ref() == Some(&sync.member);
        if let Some(member) = self.members.get_mut(&sync.member) {
            member.owes_sync = false;
            member.syncing = Some(reply);
        }
        if self.state == State::Stable {
            self.give_assignments(now);
        } else if is_leader {
            for member in self.members.values_mut() {
                member.assignment = sync.assignments.get(&member.id).cloned().unwrap_or_default();
            }
            self.state = State::Stable;
            self.give_assignments(now);
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ResponseError> {
        self.check_member(&sync.member, sync.instance.as_deref())?;
        if sync.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        let differs = |said: &Option<String>, known: &Option<String>| said.is_some() && said != known;
        if differs(&sync.protocol_type, &self.protocol_type) || differs(&sync.protocol, &self.protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.state {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
            State::CompletingRebalance { .. } | State::Stable => Ok(()),
        }
    }

    fn give_assignments(&mut self, now: Duration) {
        let (protocol_type, protocol) = (&self.protocol_type, &self.protocol);
        for member in self.members.values_mut() {
            if let Some(waiting) = member.syncing.take() {
                member.session_end = now + member.session_timeout;
                let _ = waiting.send(Ok(Synced {
                    protocol_type: protocol_type.clone(),
                    protocol: protocol.clone(),
                    assignment: member.assignment.clone(),
                }));
            }
        }
    }
}
