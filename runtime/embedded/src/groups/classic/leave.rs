//! LeaveGroup, and members that are removed for other reasons.

use std::time::Duration;

use kafka_protocol::ResponseError;

use super::{Group, Refused, State};

// === impl Group ===

impl Group {
    /// One member of a LeaveGroup: by its id, or a static one by its instance (KIP-345).
    pub(crate) fn leave(
        &mut self,
        now: Duration,
        member: &str,
        instance: Option<&str>,
    ) -> Result<(), ResponseError> {
        let id = match instance {
            None if self.pending.remove(member).is_some() => {
                self.settle(now);
                return Ok(());
            }
            None => member.to_owned(),
            Some(instance) => {
                let known = self
                    .instances
                    .get(instance)
                    .ok_or(ResponseError::UnknownMemberId)?;
                // An administrator names the instance alone.
                if !member.is_empty() && member != known {
                    return Err(ResponseError::FencedInstanceId);
                }
                known.clone()
            }
        };
        if !self.members.contains_key(&id) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(now, &id);
        self.settle(now);
        Ok(())
    }

    /// Takes a member out, which is a reason to rebalance.
    pub(super) fn remove(&mut self, now: Duration, id: &str) {
        self.forget(id);
        match self.state {
            State::Stable | State::CompletingRebalance { .. } => self.prepare_rebalance(now),
            State::Empty | State::PreparingRebalance { .. } => {}
        }
    }

    pub(super) fn forget(&mut self, id: &str) {
        let Some(mut member) = self.members.remove(id) else {
            return;
        };
        let error = ResponseError::UnknownMemberId;
        if let Some(waiting) = member.joining.take() {
            let _ = waiting.send(Err(Refused {
                error,
                member: id.to_owned(),
            }));
        }
        if let Some(waiting) = member.syncing.take() {
            let _ = waiting.send(Err(error));
        }
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        if self.leader.as_deref() == Some(id) {
            let first = self.members.values().min_by_key(|member| member.arrival);
            self.leader = first.map(|member| member.id.clone());
        }
    }
}
