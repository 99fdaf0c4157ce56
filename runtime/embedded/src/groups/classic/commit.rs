//! Who may commit offsets of a classic group.

use std::time::Duration;

use kafka_protocol::ResponseError;

use super::{Group, State};

/// Whether offsets come with a transaction: these may arrive while the group rebalances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitKind {
    Plain,
    Transactional,
}

// === impl Group ===

impl Group {
    pub(crate) fn check_commit(
        &mut self,
        now: Duration,
        member: &str,
        instance: Option<&str>,
        generation: i32,
        kind: CommitKind,
    ) -> Result<(), ResponseError> {
        // An administrator, or a consumer that assigns itself, of a group without members.
        if generation < 0 && self.is_empty() {
            return Ok(());
        }
        if generation >= 0 || !member.is_empty() || instance.is_some() {
            self.check_member(member, instance)?;
            if generation != self.generation {
                return Err(ResponseError::IllegalGeneration);
            }
        } else if kind == CommitKind::Plain {
            return Err(ResponseError::UnknownMemberId);
        }
        if kind == CommitKind::Plain && matches!(self.state, State::CompletingRebalance { .. }) {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.keep_session(now, member);
        Ok(())
    }
}
