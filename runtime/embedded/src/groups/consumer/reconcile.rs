//! Brings a member from what it has to what it should have, as Kafka's `CurrentAssignmentBuilder` does.

use std::time::Duration;

use uuid::Uuid;

use super::{Assignment, Group, member::State};

// === impl Group ===

impl Group {
    /// `owned` is what the member says that it still has, if it says so.
    pub(super) fn reconcile(&mut self, now: Duration, id: &str, owned: Option<&Assignment>) {
        let Some(member) = self.members.get(id) else {
            return;
        };
        let epoch = match member.state {
            State::Stable if member.epoch == self.target_epoch => return,
            State::Stable | State::Waiting => member.epoch,
            State::Revoking if still_owns(owned, &member.revoking) => return,
            // All is given up: the member is as good as in the next epoch.
            State::Revoking => member.epoch + 1,
        };
        let target = self.target(id);
        let kept = both(&member.assigned, &target);
        let lost = without(&member.assigned, &target);
        let wanted = without(&target, &member.assigned);
        let taken = |topic: &Uuid, partition: &i32| {
            let has =
                |assignment: &Assignment| assignment.get(topic).is_some_and(|all| all.contains(partition));
            let mut others = self.members.values().filter(|other| other.id != id);
            others.any(|other| has(&other.assigned) || has(&other.revoking))
        };
        let mut free = wanted.clone();
        for (topic, partitions) in &mut free {
            partitions.retain(|partition| !taken(topic, partition));
        }
        free.retain(|_, partitions| !partitions.is_empty());
        let waits = free != wanted;

        let target_epoch = self.target_epoch;
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let previous = member.epoch;
        member.assigned = kept;
        if !lost.is_empty() && still_owns(owned, &lost) {
            member.state = State::Revoking;
            member.epoch = epoch;
            member.revoking = lost;
            member.revoke_until = Some(now + member.rebalance_timeout);
        } else {
            for (topic, partitions) in free {
                member.assigned.entry(topic).or_default().extend(partitions);
            }
            member.state = if waits { State::Waiting } else { State::Stable };
            member.epoch = target_epoch;
            member.revoking.clear();
            member.revoke_until = None;
        }
        if member.epoch != previous {
            member.previous_epoch = previous;
        }
    }
}

/// A member that does not say what it owns may own all of it.
fn still_owns(owned: Option<&Assignment>, lost: &Assignment) -> bool {
    owned.is_none_or(|owned| !both(owned, lost).is_empty())
}

fn both(left: &Assignment, right: &Assignment) -> Assignment {
    select(left, |topic, partition| {
        right.get(topic).is_some_and(|all| all.contains(partition))
    })
}

fn without(left: &Assignment, right: &Assignment) -> Assignment {
    select(left, |topic, partition| {
        !right.get(topic).is_some_and(|all| all.contains(partition))
    })
}

fn select(from: &Assignment, wanted: impl Fn(&Uuid, &i32) -> bool) -> Assignment {
    let mut selected = Assignment::new();
    for (topic, partitions) in from {
        let some: std::collections::BTreeSet<_> = partitions
            .iter()
            .copied()
            .filter(|partition| wanted(topic, partition))
            .collect();
        if !some.is_empty() {
            selected.insert(*topic, some);
        }
    }
    selected
}
