//! JoinGroup: who may become a member, and when its answer can be given.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::{Group, JoinReply, Member, State};

/// What a JoinGroup says.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    /// Empty for a member that is new.
    pub(crate) member: String,
    pub(crate) instance: Option<String>,
    /// The id for a member that has none.
    pub(crate) fresh: String,
    /// A new dynamic member is sent away once with its id, so that a lost answer leaves no member behind (KIP-394, from version 4).
    pub(crate) id_required: bool,
    /// A static leader that comes back may be told to leave the assignment as it is (KIP-814, from version 9).
    pub(crate) can_skip_assignment: bool,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<(String, Bytes)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: String,
    pub(crate) member: String,
    pub(crate) skip_assignment: bool,
    /// Id, instance and metadata of all members; for the leader alone.
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
}

/// An error, and the member id that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) error: ResponseError,
    pub(crate) member: String,
}

// === impl Group ===

impl Group {
    pub(crate) fn join(&mut self, now: Duration, join: Join, reply: JoinReply) {
        let result = self.try_join(now, join, reply);
        if let Err((reply, refused)) = result {
            // A client that no longer waits has lost nothing.
            let _ = reply.send(Err(refused));
        }
        self.settle(now);
    }

    fn try_join(&mut self, now: Duration, join: Join, reply: JoinReply) -> Result<(), (JoinReply, Refused)> {
        let refuse = |reply, error, member: &str| {
            Err((
                reply,
                Refused {
                    error,
                    member: member.to_owned(),
                },
            ))
        };
        if !self.supports(&join) {
            return refuse(reply, ResponseError::InconsistentGroupProtocol, &join.member);
        }
        let known_instance = join
            .instance
            .as_ref()
            .and_then(|instance| self.instances.get(instance));
        if join.member.is_empty() {
            if let Some(old) = known_instance.cloned() {
                self.replace_static(now, &old, join, reply);
            } else if join.instance.is_none() && join.id_required {
                self.pending
                    .insert(join.fresh.clone(), now + join.session_timeout);
                return refuse(reply, ResponseError::MemberIdRequired, &join.fresh);
            } else {
                let id = join.fresh.clone();
                self.add(now, id, join, reply);
            }
            return Ok(());
        }
        if join.instance.is_none() && self.pending.remove(&join.member).is_some() {
            let id = join.member.clone();
            self.add(now, id, join, reply);
            return Ok(());
        }
        if let Err(error) = self.check_member(&join.member, join.instance.as_deref()) {
            return refuse(reply, error, &join.member);
        }
        self.rejoin(now, join, reply);
        Ok(())
    }

    /// A first member brings the type; later ones must share one protocol with all others.
    fn supports(&self, join: &Join) -> bool {
        if self.members.is_empty() {
            return !join.protocol_type.is_empty() && !join.protocols.is_empty();
        }
        let common = |name: &String| {
            let mut others = self.members.values().filter(|member| member.id != join.member);
            others.all(|member| member.metadata(name).is_some())
        };
        self.protocol_type.as_deref() == Some(&join.protocol_type)
            && join.protocols.iter().any(|(name, _)| common(name))
    }

    fn add(&mut self, now: Duration, id: String, join: Join, reply: JoinReply) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.arrivals += 1;
        let mut member = Member {
            id: id.clone(),
            instance: join.instance,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            arrival: self.arrivals,
            session_end: now,
            owes_sync: false,
            joining: Some(reply),
            syncing: None,
        };
        member.keep(now);
        self.members.insert(id, member);
        self.count_newcomer();
        self.prepare_rebalance(now);
    }

    /// A member that is known asks again: because of a rebalance, with another subscription, or because the answer was lost.
    fn rejoin(&mut self, now: Duration, join: Join, reply: JoinReply) {
        let is_leader = self.leader.as_ref() == Some(&join.member);
        let Some(member) = self.members.get_mut(&join.member) else {
            return;
        };
        let same = member.protocols == join.protocols;
        let again = match self.state {
            State::PreparingRebalance { .. } => true,
            State::CompletingRebalance { .. } => !same,
            // The leader joins again when it wants to assign anew: partitions may have been added.
            State::Stable => is_leader || !same,
            State::Empty => false,
        };
        member.keep(now);
        if !again {
            let id = member.id.clone();
            let _ = reply.send(Ok(self.joined(&id)));
            return;
        }
        member.protocols = join.protocols;
        member.session_timeout = join.session_timeout;
        member.rebalance_timeout = join.rebalance_timeout;
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        // The former request of this member, if it still waits, is answered by nobody: its connection is gone.
        member.joining = Some(reply);
        self.prepare_rebalance(now);
    }

    /// A static member comes back under a new member id; the old id is fenced from now on.
    fn replace_static(&mut self, now: Duration, old: &str, join: Join, reply: JoinReply) {
        let Some(mut member) = self.members.remove(old) else {
            return;
        };
        let error = ResponseError::FencedInstanceId;
        if let Some(waiting) = member.joining.take() {
            let _ = waiting.send(Err(Refused {
                error,
                member: old.to_owned(),
            }));
        }
        if let Some(waiting) = member.syncing.take() {
            let _ = waiting.send(Err(error));
        }
        let id = join.fresh;
        let was_leader = self.leader.as_deref() == Some(old);
        if was_leader {
            self.leader = Some(id.clone());
        }
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        let before = member.metadata(self.protocol()).cloned();
        member.id.clone_from(&id);
        member.protocols = join.protocols;
        member.session_timeout = join.session_timeout;
        member.rebalance_timeout = join.rebalance_timeout;
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        member.keep(now);
        let after = member.metadata(self.protocol()).cloned();
        self.members.insert(id.clone(), member);

        let unchanged = before == after && self.choose_protocol() == self.protocol;
        if self.state == State::Stable && unchanged {
            let mut joined = self.joined(&id);
            if join.can_skip_assignment {
                joined.skip_assignment = was_leader;
            } else {
                // It must not assign: as long as it takes another for the leader it will not.
                joined.members.clear();
                if was_leader {
                    joined.leader = old.to_owned();
                }
            }
            let _ = reply.send(Ok(joined));
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.joining = Some(reply);
        }
        self.prepare_rebalance(now);
    }

    /// The answer of the present generation.
    pub(super) fn joined(&self, id: &str) -> Joined {
        let leader = self.leader.clone().unwrap_or_default();
        let mut members = Vec::new();
        if leader == id {
            let listed = self.members.values();
            members.extend(listed.map(|one| (one.id.clone(), one.instance.clone(), self.metadata(one))));
        }
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader,
            member: id.to_owned(),
            skip_assignment: false,
            members,
        }
    }
}
