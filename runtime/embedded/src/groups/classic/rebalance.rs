//! The turn from one generation to the next.

use std::{collections::BTreeMap, time::Duration};

use kafka_protocol::ResponseError;

use super::{Group, Initial, State};

// === impl Group ===

impl Group {
    /// Everybody has to join again. Nothing changes if that is under way.
    pub(super) fn prepare_rebalance(&mut self, now: Duration) {
        let timeout = self.rebalance_timeout();
        let (deadline, initial) = match self.state {
            State::PreparingRebalance { .. } => return,
            State::Empty => {
                let first = self.initial_delay.min(timeout);
                let left = timeout - first;
                (now + first, Some(Initial { left, joined: 0 }))
            }
            State::CompletingRebalance { .. } | State::Stable => (now + timeout, None),
        };
        for member in self.members.values_mut() {
            member.owes_sync = false;
            if let Some(waiting) = member.syncing.take() {
                let _ = waiting.send(Err(ResponseError::RebalanceInProgress));
            }
        }
        self.state = State::PreparingRebalance { deadline, initial };
    }

    /// A newcomer prolongs the initial delay once more.
    pub(super) fn count_newcomer(&mut self) {
        if let State::PreparingRebalance {
            initial: Some(initial),
            ..
        } = &mut self.state
        {
            initial.joined += 1;
        }
    }

    /// Completes the join when nobody is missing, or when it is time.
    pub(super) fn settle(&mut self, now: Duration) {
        let State::PreparingRebalance { deadline, initial } = self.state else {
            return;
        };
        let late = deadline <= now;
        match initial {
            Some(_) if !late => {}
            Some(Initial { left, joined }) if joined > 0 && !left.is_zero() => {
                let more = self.initial_delay.min(left);
                let initial = Some(Initial {
                    left: left - more,
                    joined: 0,
                });
                self.state = State::PreparingRebalance {
                    deadline: now + more,
                    initial,
                };
            }
            Some(_) => self.complete_join(now),
            None => {
                let all = self.members.values().all(|member| member.joining.is_some());
                if late || (all && self.pending.is_empty()) {
                    self.complete_join(now);
                }
            }
        }
    }

    fn complete_join(&mut self, now: Duration) {
        // A static member keeps its place while it is away, until its session ends.
        let gone = |member: &&super::Member| member.joining.is_none() && member.instance.is_none();
        let gone: Vec<_> = self
            .members
            .values()
            .filter(gone)
            .map(|member| member.id.clone())
            .collect();
        for id in gone {
            self.forget(&id);
        }
        if self.members.is_empty() {
            self.generation += 1;
            self.protocol = None;
            self.leader = None;
            self.state = State::Empty;
            return;
        }
        let leads = |id: &String| {
            self.members
                .get(id)
                .is_some_and(|member| member.joining.is_some())
        };
        if !self.leader.as_ref().is_some_and(leads) {
            let here = self.members.values().filter(|member| member.joining.is_some());
            let Some(first) = here.min_by_key(|member| member.arrival) else {
                let deadline = now + self.rebalance_timeout();
                self.state = State::PreparingRebalance {
                    deadline,
                    initial: None,
                };
                return;
            };
            self.leader = Some(first.id.clone());
        }
        self.generation += 1;
        self.protocol = self.choose_protocol();
        let deadline = now + self.rebalance_timeout();
        self.state = State::CompletingRebalance { deadline };
        let here = self.members.values().filter(|member| member.joining.is_some());
        let here: Vec<_> = here.map(|member| member.id.clone()).collect();
        for id in here {
            let joined = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            member.keep(now);
            member.owes_sync = true;
            if let Some(reply) = member.joining.take() {
                let _ = reply.send(Ok(joined));
            }
        }
    }

    /// Each member votes for its first protocol that all others know.
    pub(super) fn choose_protocol(&self) -> Option<String> {
        let mut votes = BTreeMap::<&str, usize>::new();
        for member in self.members.values() {
            let known = |name: &str| self.members.values().all(|other| other.metadata(name).is_some());
            let first = member
                .protocols
                .iter()
                .map(|(name, _)| name.as_str())
                .find(|name| known(name));
            if let Some(first) = first {
                *votes.entry(first).or_default() += 1;
            }
        }
        let (name, _) = votes.into_iter().max_by_key(|(_, count)| *count)?;
        Some(name.to_owned())
    }

    /// As long as the slowest member may take.
    fn rebalance_timeout(&self) -> Duration {
        let timeouts = self.members.values().map(|member| member.rebalance_timeout);
        timeouts.max().unwrap_or_default()
    }
}
